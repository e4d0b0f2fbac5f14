"""What a connection is to the rest of the service: who is at the other end, and what it does now."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from twisted.internet.defer import Deferred

from apiserver.http.once import Once
from apiserver.http.version import Version

_UCRED = struct.Struct("3i")


class PeerCredentials(NamedTuple):
    """Of the process that connected, at the time it did (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


class Phase(Enum):
    NEW = "new"
    """It never sent a byte."""
    READING = "reading"
    """A part of a request's head is here."""
    SERVING = "serving"
    """A request is being handled, or its body still comes in."""
    KEPT = "kept"
    """Answered, and kept for a next request."""
    HIJACKED = "hijacked"
    CLOSED = "closed"


Observer: TypeAlias = "Callable[[Connection, Phase, Phase], None]"
"""Called with the connection, the phase it was in, and the one that it is in now."""


class Line(Protocol):
    """What carries a connection: the channel."""

    def close_when_idle(self) -> None: ...
    def end_endless(self) -> None: ...
    def abort(self) -> None: ...


class Connection:
    """One client's connection, from accept to its end.

    Attributes:
        id: stands for it in the log, and in `X-Reference-Id` where the client gives none.
        peer: on a unix socket who connected, else None.
        listener: URI of the listener that accepted it.
        first_version: what the first request's path asked for; None if it named no version.
    """

    def __init__(self, listener: str = "") -> None:
        self.id = os.urandom(8).hex()
        self.peer: PeerCredentials | None = None
        self.listener = listener
        self.is_unix = False
        self.is_tcp = listener.partition(":")[0] in ("tcp", "ssl", "http", "https", "tcp4", "tcp6")
        self.first_version: Version | None = None
        self.requests = 0
        self.phase = Phase.NEW
        self.closing = False
        self._closed = Once()
        self._observers: list[Observer] = []
        self._line: Line | None = None

    def observe(self, observer: Observer) -> None:
        """Have `observer` called at each change of phase."""
        self._observers.append(observer)

    def begin_close(self) -> Deferred[None]:
        """Close it without losing a request, and fire when it is closed.

        What it does now is finished, and what was sent meanwhile is answered, the last with `Connection: close`.
        On a unix socket a send that comes later fails before a byte is taken.
        """
        self.closing = True
        closed = self._closed.wait()
        if self._line is not None:
            self._line.close_when_idle()
        return closed

    def halt(self) -> Deferred[None]:
        """As `begin_close`, and endless answers end with a whole last chunk, hijacked ones are closed."""
        closed = self.begin_close()
        if self._line is not None:
            self._line.end_endless()
        return closed

    def abort(self) -> None:
        """Drop it at once, whatever it does."""
        if self._line is not None:
            self._line.abort()

    def closed(self) -> Deferred[None]:
        """Fires when it is closed; each caller has one of its own."""
        return self._closed.wait()

    # Called by what carries it.

    def attach(self, line: Line, handle: object) -> None:
        self._line = line
        if not isinstance(handle, socket.socket):
            return
        self.is_tcp = handle.family in (socket.AF_INET, socket.AF_INET6)
        self.is_unix = handle.family == socket.AF_UNIX
        if self.is_unix:
            raw = handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            self.peer = PeerCredentials(*_UCRED.unpack(raw))

    def become(self, phase: Phase) -> None:
        before = self.phase
        if before is phase:
            return
        self.phase = phase
        for observer in self._observers:
            observer(self, before, phase)
        if phase is Phase.CLOSED:
            self._line = None
            self._closed.fire()
