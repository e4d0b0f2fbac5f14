"""What a browser must not be able to do to a service on TCP: rebinding, forged forms, foreign pages."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from apiserver.errors import Forbidden

if TYPE_CHECKING:
    from apiserver.http.request import Request

_SIMPLE: Final = frozenset({b"application/x-www-form-urlencoded", b"text/plain", b"multipart/form-data"})
"""Content types that a page may POST anywhere without asking first; browsers ask before JSON."""

_DOCKER: Final = b"Docker-Client/"
"""How the docker command calls itself, which sends what it imports as text. A page that takes the name has to ask."""

_OWN_PAGES: Final = frozenset({b"same-origin", b"none"})
"""`Sec-Fetch-Site` of a request that no other site's page made. No client but a browser sends that header."""


def refuse_foreign(request: Request) -> None:
    """Look at what only matters on TCP; a unix socket has its permissions.

    The docker command may send any content type: no form says that it is the docker command.

    Raises:
        Forbidden: a `Host` that is a name and not ours (DNS rebinding), an `Origin` other than the configured
            one, a browser's own word that another site's page asks, or a body whose content type needs no preflight.
    """
    if not request.connection.is_tcp:
        return
    settings = request.settings
    headers = request.requestHeaders
    for host in headers.getRawHeaders(b"Host") or [b""]:
        if not _is_ours(host.decode("latin-1"), settings.allowed_hosts):
            raise Forbidden(f"host {host.decode('latin-1')[:255]!r} is not served here: no --allowed-host says so")
    origins = headers.getRawHeaders(b"Origin") or ()
    for origin in origins:
        if settings.cors_origin not in ("*", origin.decode("latin-1")):
            raise Forbidden(f"origin {origin.decode('latin-1')[:255]!r} may not call this service")
    for site in headers.getRawHeaders(b"Sec-Fetch-Site") or ():
        if not origins and site not in _OWN_PAGES:  # images and forms, which may come without an origin
            raise Forbidden("pages of other sites may not call this service")
    if all(agent.startswith(_DOCKER) for agent in headers.getRawHeaders(b"User-Agent") or (b"",)):
        return
    for content_type in headers.getRawHeaders(b"Content-Type") or ():
        kind = content_type.partition(b";")[0].strip().lower()
        if kind in _SIMPLE and request.method == b"POST":
            raise Forbidden(f"content type {kind.decode('ascii')} is not accepted over TCP")


def _is_ours(host: str, allowed: frozenset[str]) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    name = name.removeprefix("[").removesuffix("]").lower().removesuffix(".")
    if name == "localhost" or name in allowed or f"*.{name.partition('.')[2]}" in allowed:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
