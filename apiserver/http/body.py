"""The body of a request as handlers take it: a stream with back-pressure, or one JSON value with limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from apiserver.errors import InvalidParameter, TooLarge
from apiserver.http.go_keys import with_known_keys

if TYPE_CHECKING:
    from apiserver.http.body_stream import BodyStream
    from apiserver.http.request import Request

T = TypeVar("T")

_FOLDED_BYTES: Final = 256 * 1024
"""In a larger body the keys have to be the fields' own: all of it would have to be held as objects."""

_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_WHERE = re.compile(r"^(?P<what>.*) - at `(?P<path>.*)`$", re.DOTALL)


def body_stream(request: Request) -> BodyStream:
    """The body of `request` as it comes in; nothing of it is kept elsewhere.

    For uploads: it has no limit of size or time, since a client may pause as long as it likes.
    """
    return request.body


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, within the time that the settings allow.

    Raises:
        TooLarge: it has more than `limit` bytes.
        RequestTimeout: it does not come in time; the connection ends with the answer.
        ClientGone: the client left before the end.
    """
    announced = request.getHeader(b"Content-Length")
    if announced is not None and int(announced) > limit:
        raise TooLarge(f"the request body has {int(announced)} bytes, the limit is {limit}")
    request.body.limit(request.settings.body_silence, request.settings.body_timeout)
    pieces: list[bytes] = []
    size = 0
    while piece := await request.body.read():
        size += len(piece)
        if size > limit:
            raise TooLarge(f"the request body is larger than the limit of {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def json_body(request: Request, kind: type[T]) -> T:
    """The body decoded as `kind`, mostly a msgspec Struct; an empty body is an empty object.

    Only the first JSON value counts, unknown keys are ignored, the case of known ones does not count, and a null
    where `kind` has none leaves the default, as Go decodes it.

    Raises:
        InvalidParameter: it is not JSON, or a value has the wrong type: the field is named.
        TooLarge: it is larger than the limit for JSON.
        RequestTimeout: it does not come in time.
    """
    raw = await read_body(request, request.settings.max_json_bytes)
    request.trace_body(raw)
    return decode_json(raw, kind)


def decode_json(raw: bytes, kind: type[T]) -> T:
    """As `json_body`, of bytes that are here."""
    text = raw.strip() or b"{}"
    try:
        if len(text) <= _FOLDED_BYTES:
            plain = msgspec.json.decode(text)
            if (known := with_known_keys(plain, kind)) is not plain:
                text = msgspec.json.encode(known)
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        return _without_nulls(text, kind, error)
    except msgspec.DecodeError as error:
        trailing = _TRAILING.search(str(error))
        if trailing is not None and 1 < int(trailing[1]) <= len(text):
            return decode_json(text[: int(trailing[1]) - 1], kind)  # it counts the first that is too many
        raise InvalidParameter(f"invalid JSON in the request body: {error}") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"invalid JSON in the request body: {error}") from None


def _without_nulls(text: bytes, kind: type[T], error: msgspec.ValidationError) -> T:
    # Go leaves a field alone that is null; clients that marshal Go structs send plenty of them.
    if "got `null`" in str(error):
        try:
            return msgspec.convert(_drop_nulls(msgspec.json.decode(text)), type=kind, str_keys=True)
        except msgspec.ValidationError as second:
            error = second
        except RecursionError:
            raise InvalidParameter("invalid JSON in the request body: nested too deeply") from None
    raise InvalidParameter(_named(error)) from None


def _drop_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_drop_nulls(each) for each in value]
    return value


def _named(error: msgspec.ValidationError) -> str:
    match = _WHERE.match(str(error))
    if match is None:
        return f"invalid request body: {error}"
    what, path = match["what"], match["path"].removeprefix("$").removeprefix(".")
    return f"invalid value for {path}: {what}" if path else f"invalid request body: {what}"
