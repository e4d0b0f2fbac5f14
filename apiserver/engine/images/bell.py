"""Telling the one who waits for news that there are some."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Bell:
    """One waits at a time; a ring that nobody waits for is not kept, so look at what is new before waiting."""

    def __init__(self) -> None:
        self._waiting: Deferred[None] | None = None

    async def wait(self) -> None:
        """Return at the next ring."""

        def forget(_: object) -> None:
            self._waiting = None

        self._waiting = Deferred(forget)
        await self._waiting

    def ring(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
