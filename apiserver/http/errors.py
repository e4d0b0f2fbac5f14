"""Kind of failure -> status and body: the only table."""

from __future__ import annotations

from typing import Final

from apiserver.errors import (
    Conflict,
    Declined,
    EngineError,
    Forbidden,
    InvalidParameter,
    NotFound,
    NotImplementedYet,
    NotModified,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from apiserver.http.flavour import Flavour
from apiserver.jsonvalue import JsonObject


class NoSuchRoute(NotFound):
    """No route has this path."""

    cause = "page not found"
    docker = "{cause}"
    libpod = "{subject}: {cause}"


class MethodNotAllowed(EngineError):
    """A route has this path, but not with this method."""

    cause = "method not allowed"
    docker = libpod = "{subject}: {cause}"


class UnsupportedMedia(EngineError):
    """We do not speak this protocol or content type."""

    cause = "unsupported media type"
    docker = libpod = "{subject}: {cause}"


class HeadersTooLarge(EngineError):
    cause = "request header fields too large"
    docker = libpod = "{cause}: {subject}"


class RequestTimeout(EngineError):
    cause = "request timed out"
    docker = libpod = "{cause}: {subject}"


class ClientGone(Exception):
    """The client hung up before its request was read or its answer was written; nobody is left to be told."""

    def __init__(self) -> None:
        super().__init__("the client closed the connection")


_STATUS: Final = (
    (NotModified, 304),
    (InvalidParameter, 400),
    (Unauthorized, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (MethodNotAllowed, 405),
    (RequestTimeout, 408),
    (Conflict, 409),
    (TooLarge, 413),
    (UnsupportedMedia, 415),
    (HeadersTooLarge, 431),
    (Declined, 500),
    (NotImplementedYet, 501),
    (Unavailable, 503),
)


def status_of(error: BaseException) -> int:
    """The status for this kind; anything that is not in the table is 500."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


def error_body(error: BaseException, status: int, flavour: Flavour) -> JsonObject:
    """One body for both: Docker clients read `message` alone, libpod clients all three keys.

    `cause` is of the last kind of ours in the chain of `raise ... from`: what Python says of a value is for nobody.
    """
    root, passed = error, {id(error)}
    cause: str | None = getattr(error, "cause", None)
    while root.__cause__ is not None and id(root.__cause__) not in passed:  # one may be its own, by a slip
        root = root.__cause__
        passed.add(id(root))
        cause = getattr(root, "cause", cause)
    cause = cause or str(root)
    return {"cause": cause, "message": flavour.words(error), "response": status}
