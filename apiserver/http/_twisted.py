"""Every private name of Twisted, Klein and Werkzeug that we use; a test fails when one of them moves."""

from __future__ import annotations

from typing import Any, Final

# Not from `klein`, which imports forms and sessions for everybody (14 ms); see `daemon.lean`.
from klein._app import Klein as Klein  # handed on
from twisted.internet.interfaces import IPushProducer
from twisted.web.http import HTTPChannel
from werkzeug.routing import Rule

CHANNEL_NAMES: Final = (
    "_busyReceiving",
    "_failChooseTransferDecoder",
    "_maybeChooseTransferDecoder",
    "_receivedHeaderCount",
    "_receivedHeaderSize",
    "_requestProducer",
    "_respondToBadRequestAndDisconnect",
    "_send100Continue",
    "_waitingForTransport",
)
"""Of HTTPChannel: what `Channel` overrides or reads as its own."""

REQUEST_NAMES: Final = ("_disconnected",)
"""Of Request, in the same way."""


class FastRule(Rule):
    """A rule that cannot build URLs: Werkzeug compiles two functions for that, three quarters of a rule's cost."""

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        return _no_urls


def _no_urls(*_: Any, **__: Any) -> None:
    return None


def replace_url_map(app: Klein, routes: object) -> None:
    """Let `app` collect its rules in `routes` (it only calls `add`) instead of in a map of its own."""
    app._url_map = routes  # type: ignore[assignment]


def url_map(app: Klein) -> object:
    return app._url_map


def set_network_producer(channel: HTTPChannel, producer: IPushProducer) -> None:
    """What the channel pauses when it does not want to read."""
    channel._networkProducer = producer


def pipelined_bytes(channel: HTTPChannel) -> bool:
    """Whether bytes of a next request wait behind the present one."""
    return any(channel._dataBuffer) or bool(channel._buffer)


def take_pipelined(channel: HTTPChannel) -> bytes:
    """The bytes that came behind the present request; they are the caller's now."""
    rest = b"".join(channel._dataBuffer) + channel.clearLineBuffer()
    channel._dataBuffer = []
    return bytes(rest)


def unwritten(transport: object) -> bool:
    """Whether a transport still has bytes that it has not given to the kernel; those of TLS have none to show."""
    waiting = len(getattr(transport, "dataBuffer", b"")) - int(getattr(transport, "offset", 0))
    return waiting > 0 or bool(getattr(transport, "_tempDataBuffer", ()))


def request_line(channel: HTTPChannel) -> tuple[bytes, bytes, bytes]:
    """Method, target and version of the request whose body comes in."""
    return channel._command, channel._path, channel._version
