"""What can be set about HTTP."""

from __future__ import annotations

from msgspec import Struct


class HttpSettings(Struct, frozen=True):
    """
    Attributes:
        keep_alive: seconds that an answered connection is kept for a next request; 0 is without limit.
        announce_keep_alive: whether answers say `Keep-Alive: timeout=N`.
        header_timeout: seconds for the head of a request to be complete, also for the first to begin.
        max_header_bytes: request line and headers together.
        max_header_lines: number of headers.
        max_json_bytes: of a JSON body.
        body_silence: seconds to wait for each next byte of a JSON body; uploads have no such limits.
        body_timeout: seconds for a JSON body to be complete, from when its head is.
        lingering: seconds for a client to notice an answer that came before its request's end.
        cors_origin: the one foreign origin whose pages may call us, or "*".
        allowed_hosts: names that `Host` may have on TCP, besides localhost and addresses; in lower case, and `*.`
            before a name is for any one label.
        trace: whether bodies go to the log (as debug events with a `trace` field).
    """

    keep_alive: float = 0
    announce_keep_alive: bool = True
    header_timeout: float = 60
    max_header_bytes: int = 64 * 1024
    max_header_lines: int = 500
    max_json_bytes: int = 8 * 1024 * 1024
    body_silence: float = 60
    body_timeout: float = 300
    lingering: float = 5
    cors_origin: str | None = None
    allowed_hosts: frozenset[str] = frozenset()
    trace: bool = False

    @property
    def announced_seconds(self) -> int | None:
        """What `Keep-Alive: timeout=` says: a little below the true time; None where that is under 2 seconds.

        Clients with pools heed it, and do not send a POST into a connection that is about to close.
        """
        seconds = int(self.keep_alive - 0.5)
        return seconds if self.announce_keep_alive and seconds >= 2 else None
