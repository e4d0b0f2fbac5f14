"""What a browser must not be able to do to a service on TCP: rebinding, forged forms, foreign pages."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from apiserver.errors import Forbidden

if TYPE_CHECKING:
    from apiserver.http.request import Request

_SIMPLE: Final = frozenset({b"application/x-www-form-urlencoded", b"text/plain"})
"""Content types that a page may send anywhere without asking first; browsers ask before JSON."""


def refuse_foreign(request: Request) -> None:
    """Look at what only matters on TCP; a unix socket has its permissions.

    Raises:
        Forbidden: a `Host` that is a name and not ours (DNS rebinding), an `Origin` other than the configured
            one, or a body whose content type needs no preflight.
    """
    if not request.connection.is_tcp:
        return
    settings = request.settings
    headers = request.requestHeaders
    for host in headers.getRawHeaders(b"Host") or [b""]:
        if not _is_ours(host.decode("latin-1"), settings.allowed_hosts):
            raise Forbidden(f"host {host.decode('latin-1')[:255]!r} is not served here")
    for origin in headers.getRawHeaders(b"Origin") or ():
        if settings.cors_origin not in ("*", origin.decode("latin-1")):
            raise Forbidden(f"origin {origin.decode('latin-1')[:255]!r} may not call this service")
    for content_type in headers.getRawHeaders(b"Content-Type") or ():
        kind = content_type.partition(b";")[0].strip().lower()
        if kind in _SIMPLE and request.method not in (b"GET", b"HEAD"):
            raise Forbidden(f"content type {kind.decode('ascii')} is not accepted over TCP")


def _is_ours(host: str, allowed: frozenset[str]) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    name = name.removeprefix("[").removesuffix("]").lower().removesuffix(".")
    if name in ("localhost", *allowed):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
