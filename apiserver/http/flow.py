"""Back-pressure on one connection: several reasons not to read, one not to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from apiserver.http.errors import ClientGone


@implementer(IPushProducer)
class Gate:
    """Stands between the channel and its transport, and reads only while nobody holds it.

    Twisted's own channel pauses and resumes through the producer interface; that is one reason among ours.

    Args:
        held: called when reading stops: from then on the reactor does not tell of a client that leaves.
    """

    def __init__(self, transport: Any, held: Callable[[], None] = lambda: None) -> None:
        self._transport = transport
        self._on_hold = held
        self._reasons: set[str] = set()

    @property
    def held(self) -> bool:
        return bool(self._reasons)

    def hold(self, reason: str) -> None:
        if not self._reasons:
            self._transport.pauseProducing()
            self._on_hold()
        self._reasons.add(reason)

    def release(self, reason: str) -> None:
        if reason in self._reasons:
            self._reasons.remove(reason)
            if not self._reasons:
                self._transport.resumeProducing()

    def pauseProducing(self) -> None:
        self.hold("channel")

    def resumeProducing(self) -> None:
        self.release("channel")

    def stopProducing(self) -> None:
        self._transport.stopProducing()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        self._transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self._transport.unregisterProducer()


class Drain:
    """Whether the transport takes more: full from the moment its buffer is, until the client has read it."""

    def __init__(self) -> None:
        self._full = False
        self._gone = False
        self._waiters: list[Deferred[None]] = []

    @property
    def free(self) -> bool:
        return not self._full

    async def wait(self) -> None:
        """Return once the transport takes more.

        Raises:
            ClientGone: there is nobody left to read.
        """
        if self._gone:
            raise ClientGone
        if self._full:
            waiter: Deferred[None] = Deferred(self._forget)
            self._waiters.append(waiter)
            await waiter

    def fill(self) -> None:
        self._full = True

    def empty(self) -> None:
        self._full = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def lose(self) -> None:
        self._gone = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.errback(ClientGone())

    def _forget(self, waiter: Deferred[None]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)


class Unpausable:
    """Stands for a transport of a test that cannot be paused."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def pauseProducing(self) -> None:
        """There is nothing to pause."""

    def resumeProducing(self) -> None:
        """There is nothing to resume."""

    def unregisterProducer(self) -> None:
        """None was registered."""
