"""The end of a container's record: what a removal takes away, and in which order."""

from __future__ import annotations

from msgspec.structs import replace
from twisted.logger import Logger

from apiserver.engine.containers.attach import Attach
from apiserver.engine.containers.collaborators import VolumesInUse
from apiserver.engine.containers.execs import Execs
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import Container, State
from apiserver.engine.containers.undo import Undo
from apiserver.engine.containers.wait import Wait
from apiserver.engine.events.model import Action
from apiserver.engine.ports.runs import Runs
from apiserver.errors import Conflict

log = Logger()


class Removal:
    """Used by whoever decides that a container goes: a client, its own auto-remove, or reconcile."""

    def __init__(
        self,
        ledger: Ledger,
        runs: Runs,
        undo: Undo,
        volumes: VolumesInUse,
        execs: Execs,
        attach: Attach,
        wait: Wait,
    ) -> None:
        self._ledger = ledger
        self._runs = runs
        self._undo = undo
        self._volumes = volumes
        self._execs = execs
        self._attach = attach
        self._wait = wait

    async def finish(self, container: Container, *, volumes: bool, rebooted: bool = False) -> None:
        """Remove a container whose process is gone; one that is `removing` already goes on where it stopped.

        The caller holds its lock.

        Args:
            volumes: its anonymous volumes too, unless another container has them.

        Raises:
            HostError: it stays `removing`; the next removal or reconcile goes on.
        """
        # One that waited for its start has no end that would have told it.
        waited = container if container.state is State.INITIALIZED else None
        if container.state is not State.REMOVING:
            container = await self._ledger.record(container.become(State.REMOVING, remove_volumes=volumes))
        container = replace(container, run=await self._undo.undo(container, rebooted=rebooted))
        await self._runs.forget(container.id)
        if container.remove_volumes:
            for name in container.anonymous_volumes:
                try:
                    await self._volumes.remove(name, force=True)
                except Conflict as reason:
                    log.info("volume {name} stays: {reason}", name=name, reason=reason)
        await self._ledger.delete(
            container.id,
            *self._execs.forgotten(container.id),
            *self._wait.removal(container),
            *(self._ledger.leaving(waited) if waited is not None else ()),
            self._ledger.event(container, Action.DESTROY, **_last_code(container)),
        )
        self._execs.forget(container.id)
        self._attach.end(container.id)
        self._wait.removed(container)


def _last_code(container: Container) -> dict[str, str]:
    """What its last run ended with; nothing where it never ran."""
    run = container.run
    if run is None or run.started is None or not run.ended:
        return {}
    return {"exitCode": "255" if run.exit_code is None else str(run.exit_code)}
