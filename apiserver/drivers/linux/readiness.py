"""A descriptor of ours on the reactor: waiting until it can be read or written."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer


class Reactor(Protocol):
    """What the drivers ask of a reactor: descriptors and time."""

    def addReader(self, reader: Any) -> Any: ...  # noqa: N802
    def removeReader(self, reader: Any) -> Any: ...  # noqa: N802
    def addWriter(self, writer: Any) -> Any: ...  # noqa: N802
    def removeWriter(self, writer: Any) -> Any: ...  # noqa: N802
    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> Any: ...  # noqa: N802
    def seconds(self) -> float: ...


@implementer(IReadDescriptor, IWriteDescriptor)
class Descriptor:
    """Owns one non-blocking descriptor; it is closed by `close()` and by nothing else.

    Nothing is read or written here: a waiter is woken and makes the system call itself, so a hang-up or an
    error is seen where it can be handled, as the call's own result. One waiter per direction.
    """

    def __init__(self, reactor: Reactor, fd: int) -> None:
        os.set_blocking(fd, False)
        self._reactor = reactor
        self._fd = fd
        self._reader: Deferred[None] | None = None
        self._writer: Deferred[None] | None = None
        self._reading = self._writing = False

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:  # noqa: N802
        return "descriptor"

    @property
    def closed(self) -> bool:
        return self._fd == -1

    def readable(self) -> Deferred[None]:
        """Fires once when a read would not block (end of file and errors too), or when closed."""
        if self._reader is not None:
            raise RuntimeError("somebody else waits to read this descriptor")
        if self.closed:
            return _fired()
        self._reader = Deferred(self._cancel_read)
        if not self._reading:
            self._reading = True
            self._reactor.addReader(self)
        return self._reader

    def writable(self) -> Deferred[None]:
        """Fires once when a write would not block (a broken pipe too), or when closed."""
        if self._writer is not None:
            raise RuntimeError("somebody else waits to write this descriptor")
        if self.closed:
            return _fired()
        self._writer = Deferred(self._cancel_write)
        if not self._writing:
            self._writing = True
            self._reactor.addWriter(self)
        return self._writer

    def wake_reader(self) -> None:
        waiter, self._reader = self._reader, None
        if waiter is not None:
            waiter.callback(None)

    def wake_writer(self) -> None:
        waiter, self._writer = self._writer, None
        if waiter is not None:
            waiter.callback(None)

    def close(self) -> None:
        """Close the descriptor and wake whoever waits; a second call does nothing."""
        if self.closed:
            return
        self._stop_reading()
        self._stop_writing()
        fd, self._fd = self._fd, -1
        os.close(fd)
        self.wake_reader()
        self.wake_writer()

    # What the reactor calls.

    def doRead(self) -> None:  # noqa: N802
        self.wake_reader()
        # Somebody who reads in a loop waits again at once: only then is it worth staying with the reactor.
        if self._reader is None:
            self._stop_reading()

    def doWrite(self) -> None:  # noqa: N802
        self.wake_writer()
        if self._writer is None:
            self._stop_writing()

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """The reactor saw a hang-up; it has taken us off its lists. The waiter's own call meets it."""
        self._reading = self._writing = False
        self.wake_reader()
        self.wake_writer()

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._reactor.removeReader(self)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._reactor.removeWriter(self)

    def _cancel_read(self, _: Deferred[None]) -> None:
        self._reader = None
        self._stop_reading()

    def _cancel_write(self, _: Deferred[None]) -> None:
        self._writer = None
        self._stop_writing()


def _fired() -> Deferred[None]:
    done: Deferred[None] = Deferred()
    done.callback(None)
    return done
