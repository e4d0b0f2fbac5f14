"""Removing a container with all that it left."""

from __future__ import annotations

from contextlib import suppress

from msgspec.structs import replace

from apiserver.engine.containers.failures import running
from apiserver.engine.containers.kill import SIGKILL, Kill
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import Container
from apiserver.engine.containers.removal import Removal
from apiserver.engine.containers.stop import Default, Stop
from apiserver.engine.events.model import Action
from apiserver.engine.locks import Locks
from apiserver.errors import NoSuchContainer, NotModified

ATTEMPTS = 3
"""How often a forced removal kills what others start again meanwhile."""


class Remove:
    def __init__(self, ledger: Ledger, locks: Locks, kill: Kill, stop: Stop, removal: Removal) -> None:
        self._ledger = ledger
        self._locks = locks
        self._kill = kill
        self._stop = stop
        self._removal = removal

    async def remove(
        self, name_or_id: str, *, force: bool = False, volumes: bool = False, timeout: float | Default | None = None
    ) -> None:
        """Remove it.

        Args:
            force: kill it first where it runs.
            volumes: its anonymous volumes too.
            timeout: seconds that a forced removal leaves it to end by itself after its stop signal, or those of its
                own; None kills at once.

        Raises:
            ContainerRunning: and not forced.
        """
        container_id = self._ledger.registry.get(name_or_id).id
        if force and timeout is not None:
            with suppress(NotModified):
                await self._stop.stop(container_id, timeout)
            if self._ledger.registry.find(container_id) is None:
                return  # its own auto-remove was faster
        for attempt in range(ATTEMPTS):
            killed = await self._remove_or_kill(container_id, force and attempt < ATTEMPTS - 1, volumes, attempt > 0)
            if killed is None:
                return
            await self._kill.until_gone(killed)

    async def _remove_or_kill(self, container_id: str, force: bool, volumes: bool, again: bool) -> Container | None:
        """Remove it, or answer the container as one to be killed first."""
        async with self._locks.container(container_id, "remove"):
            container = self._ledger.registry.find(container_id)
            if container is None:
                if again:
                    return None  # its own auto-remove was faster
                raise NoSuchContainer(container_id)
            if not container.alive:
                await self._removal.finish(container, volumes=volumes)
                return None
            if not force:
                raise running(container)
            container = replace(container, stopped_by_user=True)
            return await self._ledger.record(container, self._ledger.event(container, Action.KILL, signal=str(SIGKILL)))
