"""The protocol factory: one listener's connections, with what is common to their answers."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory
from twisted.web.http import datetimeToString
from zope.interface import implementer

from apiserver.http import middleware
from apiserver.http.channel import Channel
from apiserver.http.connection import Connection
from apiserver.http.request import Request
from apiserver.http.settings import HttpSettings

__all__ = ["HttpFactory", "HttpSettings", "make_factory"]


class Root(Protocol):
    """What answers requests: the router."""

    def render(self, request: Any) -> Any: ...


@implementer(IProtocolFactory)
class HttpFactory(Factory):
    """Builds a `Channel` for each connection; its `connection` can be observed from the start."""

    noisy = False
    sessionFactory = None

    def __init__(self, root: Root, settings: HttpSettings, clock: IReactorTime, listener: str) -> None:
        self.root = root
        self.settings = settings
        self.clock = clock
        self.listener = listener
        self._common = middleware.common_head(settings)
        seconds = settings.announced_seconds
        self._kept = b"" if seconds is None else b"Keep-Alive: timeout=%d\r\n" % seconds
        self._date = (0, b"")

    def buildProtocol(self, addr: IAddress | None = None) -> Channel:
        return Channel(self, Connection(self.listener))

    def head(self, reference_id: str, keep: bool, announce: bool = True) -> bytes:
        """The common headers, each line with its end.

        Args:
            keep: whether the connection is kept; else the client is told that it is not.
            announce: whether this answer says for how long it is kept.
        """
        now = int(self.clock.seconds())
        if self._date[0] != now or not self._date[1]:
            self._date = (now, b"Date: " + datetimeToString() + b"\r\n")
        ending = (self._kept if announce else b"") if keep else b"Connection: close\r\n"
        return b"%bX-Reference-Id: %b\r\n%b%b" % (self._common, reference_id.encode("ascii"), self._date[1], ending)

    def log(self, request: Request) -> None:
        middleware.log_access(request)


def make_factory(root: Root, settings: HttpSettings, clock: IReactorTime, listener: str = "") -> HttpFactory:
    """A factory for the connections of one listener.

    Args:
        root: the router.
        listener: its URI, such as `unix:///run/apiserver/apiserver.sock`.
    """
    return HttpFactory(root, settings, clock, listener)
