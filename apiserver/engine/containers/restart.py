"""Stopping a container if it runs, and starting it."""

from __future__ import annotations

from contextlib import suppress

from apiserver.engine.containers.collaborators import Background
from apiserver.engine.containers.exits import Exits
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.start import Start
from apiserver.engine.containers.stop import DEFAULT, Default, Stop
from apiserver.engine.events.model import Action
from apiserver.errors import NotModified


class Restart:
    """
    Args:
        background: keeps the service until what was stopped is started again, also where the client has left.
    """

    def __init__(self, ledger: Ledger, exits: Exits, stop: Stop, start: Start, background: Background) -> None:
        self._ledger = ledger
        self._exits = exits
        self._stop = stop
        self._start = start
        self._background = background

    async def restart(self, name_or_id: str, timeout: float | Default | None = DEFAULT, *, signal: str = "") -> None:
        """As `stop`, then as `start`; one that removes itself stays."""
        container = self._ledger.registry.get(name_or_id)
        with self._background.hold(f"restart of container {container.id[:12]}"), self._exits.keeping(container.id):
            with suppress(NotModified):
                await self._stop.stop(container.id, timeout, signal=signal)
            with suppress(NotModified):  # somebody else was faster to start it
                await self._start.start(container.id)
        await self._ledger.commit(self._ledger.event(container, Action.RESTART))
