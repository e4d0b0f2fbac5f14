"""The size of a container's terminal."""

from __future__ import annotations

from apiserver.engine.containers.failures import not_running
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.events.model import Action
from apiserver.engine.ports.runs import NotRunning
from apiserver.engine.ports.streams import Streams
from apiserver.errors import InvalidParameter

LARGEST = 65_535


class Resize:
    def __init__(self, ledger: Ledger, streams: Streams) -> None:
        self._ledger = ledger
        self._streams = streams

    async def resize(self, name_or_id: str, height: int, width: int) -> None:
        """Raises: ContainerNotRunning, InvalidParameter (0 to 65,535 each)."""
        check_size(height, width)
        container = self._ledger.registry.get(name_or_id)
        if not container.alive or container.run is None:
            raise not_running(container)
        try:
            await self._streams.resize(container.run.plan, height, width)
        except NotRunning:
            raise not_running(container) from None
        event = self._ledger.event(container, Action.RESIZE, height=str(height), width=str(width))
        await self._ledger.commit(event)


def check_size(height: int, width: int) -> None:
    for field, value in (("h", height), ("w", width)):
        if not 0 <= value <= LARGEST:
            raise InvalidParameter(f"invalid {field}: {value} is no size of a terminal")
