"""How a container changes: committed first, with its events, and then shown."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.engine.containers.collaborators import Journal
from apiserver.engine.containers.model import ALIVE, Container, State
from apiserver.engine.containers.options.mounts import MountKind
from apiserver.engine.containers.registry import Registry
from apiserver.engine.containers.undo import has_leftovers
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.ports.guard import Guard
from apiserver.engine.ports.records import Change, DeleteContainer, PutContainer

log = Logger()


def unfinished(container: Container) -> bool:
    """Whether somebody is in the middle of making or taking away what a container has outside of the state."""
    if container.state is State.REMOVING:
        return True
    return has_leftovers(container.run) and container.state not in ALIVE | {State.INITIALIZED}


class Ledger:
    """
    Args:
        guard: told, before it is committed, of all that would be left unfinished if we died.
        wall_clock: whose `seconds()` is the time of day.
    """

    def __init__(self, registry: Registry, journal: Journal, guard: Guard, wall_clock: IReactorTime) -> None:
        self.registry = registry
        self._journal = journal
        self.guard = guard
        self._clock = wall_clock
        guard.keep(frozenset(container.id for container in registry.all() if unfinished(container)))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.seconds(), UTC)

    async def record(self, container: Container, *changes: Change) -> Container:
        """Commit a container as it will be, with other changes, and show it. The caller holds its lock.

        Raises:
            HostError: nothing has changed.
        """
        begun = unfinished(container)
        if begun:
            self.guard.begin(container.id)
        await self._journal.commit(PutContainer(container), *changes)
        self.registry.put(container)
        if not begun:
            self.guard.done(container.id)
        return container

    async def delete(self, container_id: str, *changes: Change) -> None:
        """Commit that there is no such container any more, and show it.

        Raises:
            HostError: nothing has changed.
        """
        await self._journal.commit(*changes, DeleteContainer(container_id))
        self.registry.drop(container_id)
        self.guard.done(container_id)

    async def commit(self, *changes: Change) -> None:
        """Commit what is no change of a container."""
        await self._journal.commit(*changes)

    def tell(self, event: Event) -> None:
        """Record an event alone, for who need not wait for the disk: nothing else changes."""

        def untold(failure: Failure) -> None:
            log.failure(
                "{action} of {id} is not among the events", failure, action=event.action.value, id=event.subject
            )

        Deferred.fromCoroutine(self._journal.commit(event)).addErrback(untold)

    def event(self, container: Container, action: Action, /, **attributes: str) -> Event:
        """An event of a container, with its labels, image and name."""
        common = {**container.options.identity.labels, "image": container.image_name, "name": container.name}
        return Event(Kind.CONTAINER, action, container.id, self.now(), {**common, **attributes})

    def joining(self, container: Container) -> tuple[Event, ...]:
        """That a run has its volumes and networks."""
        return *self._volume_events(container, Action.MOUNT), *self._network_events(container, Action.CONNECT)

    def leaving(self, container: Container) -> tuple[Event, ...]:
        """That it has them no longer: by its plan from before it was undone, and if `joining` was told of it."""
        return *self._network_events(container, Action.DISCONNECT), *self._volume_events(container, Action.UNMOUNT)

    def _volume_events(self, container: Container, action: Action) -> tuple[Event, ...]:
        told = []
        for mount in container.options.mounts.mounts:
            if mount.kind is MountKind.VOLUME:
                attributes = {"container": container.id, "driver": mount.volume_driver or "local"}
                if action is Action.MOUNT:
                    write = "false" if mount.read_only else "true"
                    attributes |= {"destination": mount.target, "propagation": "", "read/write": write}
                told.append(Event(Kind.VOLUME, action, mount.source, self.now(), attributes))
        return tuple(told)

    def _network_events(self, container: Container, action: Action) -> tuple[Event, ...]:
        plan = container.run.network if container.run else None
        networks = [attachment.network for attachment in plan.attachments] if plan else []
        return tuple(
            Event(
                Kind.NETWORK,
                action,
                network.id,
                self.now(),
                {"container": container.id, "name": network.name, "type": network.driver},
            )
            for network in networks
        )
