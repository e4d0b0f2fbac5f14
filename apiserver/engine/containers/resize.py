"""The size of a container's terminal."""

from __future__ import annotations

from apiserver.engine.containers.attach import Attach
from apiserver.engine.containers.failures import not_running
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.events.model import Action
from apiserver.engine.ports.runs import NotRunning
from apiserver.engine.ports.streams import Streams
from apiserver.errors import InvalidParameter

LARGEST = 65_535


class Resize:
    def __init__(self, ledger: Ledger, streams: Streams, attach: Attach) -> None:
        self._ledger = ledger
        self._streams = streams
        self._attach = attach

    async def resize(self, name_or_id: str, height: int, width: int) -> None:
        """Set it; while a client waits for the start, it is what the program begins with.

        Raises:
            ContainerNotRunning
            InvalidParameter: 0 to 65,535 each.
        """
        check_size(height, width)
        container = self._ledger.registry.get(name_or_id)
        plan = self._attach.plan(container)
        if plan is None:
            # podman says it once it is attached, which is before it starts the container.
            if not self._attach.resize_at_start(container, (height, width)):
                raise not_running(container)
            return
        try:
            await self._streams.resize(plan, height, width)
        except NotRunning:
            raise not_running(container) from None
        event = self._ledger.event(container, Action.RESIZE, height=str(height), width=str(width))
        await self._ledger.commit(event)


def check_size(height: int, width: int) -> None:
    for field, value in (("h", height), ("w", width)):
        if not 0 <= value <= LARGEST:
            raise InvalidParameter(f"invalid {field}: {value} is no size of a terminal")
