"""The body of a request: a stream with back-pressure, or one JSON value with a limit."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from twisted.internet.defer import Deferred

from apiserver.errors import InvalidParameter, TooLarge
from apiserver.http.errors import ClientGone

if TYPE_CHECKING:
    from apiserver.http.request import Request

T = TypeVar("T")

HIGH_BYTES: Final = 256 * 1024
"""The client is no longer read once so much waits for the handler..."""
LOW_BYTES: Final = 64 * 1024
"""... until this little is left."""

_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_WHERE = re.compile(r"^(?P<what>.*) - at `(?P<path>.*)`$", re.DOTALL)


class BodyStream:
    """What the client sends, piece by piece; one reader at a time.

    Args:
        hold: stops the reading of the connection.
        release: lets it go on.
        first_read: called before the first piece is waited for (`Expect: 100-continue` is answered then).
    """

    def __init__(
        self,
        hold: Callable[[], None] = lambda: None,
        release: Callable[[], None] = lambda: None,
        first_read: Callable[[], None] = lambda: None,
    ) -> None:
        self._hold = hold
        self._release = release
        self._first_read: Callable[[], None] | None = first_read
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._held = False
        self._ended = False
        self._dropping = False
        self._error: ClientGone | None = None
        self._reader: Deferred[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether the client has sent all of it; some may still wait to be read."""
        return self._ended

    async def read(self) -> bytes:
        """The next piece; b"" at the end, and from then on.

        Raises:
            ClientGone: the client left before the end.
        """
        if self._first_read is not None:
            first_read, self._first_read = self._first_read, None
            if not self._ended:
                first_read()
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._reader = Deferred()
            try:
                await self._reader
            finally:
                self._reader = None
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece)
        if self._held and self._waiting_bytes <= LOW_BYTES:
            self._held = False
            self._release()
        return piece

    def received(self, piece: bytes) -> None:
        """A piece came in (called by the connection)."""
        if self._dropping or not piece:
            return
        self._pieces.append(piece)
        self._waiting_bytes += len(piece)
        if not self._held and self._waiting_bytes > HIGH_BYTES:
            self._held = True
            self._hold()
        self._wake()

    def end(self) -> None:
        """All of it has come in (called by the connection)."""
        self._ended = True
        self._wake()

    def drop(self) -> None:
        """The answer is out: whatever still comes is of no interest."""
        self._dropping = True
        self._pieces.clear()
        self._waiting_bytes = 0
        if self._held:
            self._held = False
            self._release()

    def lose(self) -> None:
        """The client left (called by the connection)."""
        if not self._ended:
            self._error = ClientGone()
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.called:
            self._reader.callback(None)


def body_stream(request: Request) -> BodyStream:
    """The body of `request` as it comes in; nothing of it is kept elsewhere."""
    return request.body


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        TooLarge: it has more than `limit` bytes.
        ClientGone: the client left before the end.
    """
    announced = request.getHeader(b"Content-Length")
    if announced is not None and int(announced) > limit:
        raise TooLarge(f"the request body has {int(announced)} bytes, the limit is {limit}")
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

    Only the first JSON value counts, unknown keys are ignored, and a null where `kind` has none leaves the
    default, as Go decodes it.

    Raises:
        InvalidParameter: it is not JSON, or a value has the wrong type: the field is named.
        TooLarge: it is larger than the limit for JSON.
    """
    raw = await read_body(request, request.settings.max_json_bytes)
    request.trace_body(raw)
    return decode_json(raw, kind)


def decode_json(raw: bytes, kind: type[T]) -> T:
    """As `json_body`, of bytes that are here."""
    text = raw.strip() or b"{}"
    try:
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
