"""What every request gets, whatever answers it: reference id, common headers, access log, trace of bodies."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import unquote_plus

from twisted.logger import Logger

from apiserver import __version__
from apiserver.http.settings import HttpSettings
from apiserver.http.version import API_VERSION, LIBPOD_API_VERSION

log = Logger()

_REFERENCE_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_SECRET_KEYS: Final = frozenset({"password", "identitytoken", "registrytoken", "auth", "secret", "buildargs", "data"})
_SECRET_QUERY: Final = frozenset(
    {"password", "creds", "credentials", "identitytoken", "registrytoken", "buildargs", "secrets"}
)
_USER_INFO = re.compile(r"(?i)((?:/|%2f){2})(?:(?!%2f|%3f|%23)[^/?#&])*(@|%40)")
"""What stands before the last `@` of an address's host, also where the address is a value that was encoded."""
_TRACED_BYTES: Final = 64 * 1024
BLANK: Final = "***"

CORS_HEADERS: Final = (
    b"Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth, Connection, Upgrade, X-Registry-Config"
)
CORS_METHODS: Final = b"HEAD, GET, POST, DELETE, PUT, OPTIONS"


def reference_id(own: bytes, other: str) -> str:
    """The client's own id where it is short and harmless in a log and a header, else `other`."""
    return own.decode("ascii") if _REFERENCE_ID.fullmatch(own) else other


def common_head(settings: HttpSettings) -> bytes:
    """The headers of every answer that are the same for all, as bytes to put behind a status line."""
    lines = [
        b"Api-Version: " + API_VERSION.encode(),
        b"Libpod-API-Version: " + LIBPOD_API_VERSION.encode(),
        b"Ostype: linux",
        b"Server: apiserver/" + __version__.encode() + b" (linux)",
    ]
    if settings.cors_origin is not None:
        lines += [
            b"Access-Control-Allow-Origin: " + settings.cors_origin.encode("ascii"),
            b"Access-Control-Allow-Headers: " + CORS_HEADERS,
            b"Access-Control-Allow-Methods: " + CORS_METHODS,
        ]
    return b"\r\n".join(lines) + b"\r\n"


class Logged(Protocol):
    """What a line of the log says of a request."""

    reference_id: str
    method: bytes
    uri: bytes
    code: int
    sentLength: int


def log_access(request: Logged) -> None:
    """One line for each answer; "Failed Request" where nothing is there to be asked."""
    log.info(
        "{what}{reference_id} {method} {uri} {status} {sent}",
        what="Failed Request " if request.code in (404, 405) else "",
        reference_id=request.reference_id,
        method=request.method.decode("ascii", "replace"),
        uri=shown_uri(request.uri),
        status=request.code,
        sent=request.sentLength,
    )


@lru_cache(maxsize=256)
def shown_uri(uri: bytes) -> str:
    """As a log may show it: passwords, build arguments and the like blanked, and who logs in to an address in it."""
    path, mark, query = uri.decode("ascii", "backslashreplace").partition("?")
    shown = path + mark + "&".join(map(_blank_secret, query.split("&")))
    return _USER_INFO.sub(rf"\1{BLANK}\2", shown)


def _blank_secret(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return name + equals + BLANK if equals and unquote_plus(name).lower() in _SECRET_QUERY else parameter


def trace_request_body(request: Logged, raw: bytes) -> None:
    _trace("request", request, raw)


def trace_response_body(request: Logged, raw: bytes) -> None:
    _trace("response", request, raw)


def _trace(side: str, request: Logged, raw: bytes) -> None:
    log.debug(
        "{reference_id} API={side} {uri} {body}",
        trace=True,
        reference_id=request.reference_id,
        side=side,
        uri=shown_uri(request.uri),
        body=blanked(raw),
    )


def blanked(raw: bytes) -> str:
    """A body as a log may show it: JSON with credentials blanked, of anything else the size alone."""
    if len(raw) > _TRACED_BYTES:
        return f"({len(raw)} bytes)"
    try:
        return json.dumps(_blank(json.loads(raw)))
    except (ValueError, RecursionError):
        return f"({len(raw)} bytes)"


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: BLANK if key.lower() in _SECRET_KEYS else _blank(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_blank(each) for each in value]
    return value
