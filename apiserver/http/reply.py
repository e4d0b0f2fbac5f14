"""Whole answers: a handler returns what these give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from apiserver.http.errors import error_body, status_of
from apiserver.http.flavour import Flavour

if TYPE_CHECKING:
    from apiserver.http.request import Request

_encoder = msgspec.json.Encoder()


def json_bytes(value: Any) -> bytes:
    """`value` as clients get it: no HTML escaping, a newline at the end."""
    return _encoder.encode(value) + b"\n"


def error_bytes(error: BaseException, status: int) -> bytes:
    """The body for something that is no request, and so has no flavour."""
    return json_bytes(error_body(error, status, Flavour.DOCKER))


def reply_json(request: Request, value: Any, status: int = 200) -> bytes:
    """Answer with `value`, anything that msgspec encodes."""
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"application/json")
    return json_bytes(value)


def reply_text(
    request: Request, text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8"
) -> bytes:
    """Answer with `text` exactly; a newline that clients expect is part of it."""
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", content_type.encode("ascii"))
    return text.encode()


def reply_bytes(request: Request, data: bytes, content_type: str, status: int = 200) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", content_type.encode("ascii"))
    return data


def reply_empty(request: Request, status: int = 204) -> bytes:
    """Answer without a body."""
    request.setResponseCode(status)
    return b""


def reply_error(request: Request, error: BaseException) -> bytes:
    """Answer with the status and body of `error`; the head of an earlier answer that was not sent is forgotten."""
    status = status_of(error)
    request.setResponseCode(status)
    if status == 304:
        return b""
    request.setHeader(b"Content-Type", b"application/json")
    return json_bytes(error_body(error, status, request.flavour))
