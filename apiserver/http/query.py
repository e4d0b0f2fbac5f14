"""Typed reading of a request's query: names in any case, one of repeated values, clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

from apiserver.errors import InvalidParameter
from apiserver.http.flavour import Flavour

if TYPE_CHECKING:
    from apiserver.http.request import Request

_DOCKER_FALSE: Final = frozenset({"", "0", "no", "false", "none"})
_GO_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True", "on"})
_GO_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def query_values(request: Request) -> Mapping[str, list[str]]:
    """All values by lower-case name, in order; read once."""
    values = getattr(request, "query_values", None)
    if values is None:
        values = {}
        text = request.uri.partition(b"?")[2].decode("utf-8", "replace")
        for name, value in parse_qsl(text, keep_blank_values=True):
            values.setdefault(name.lower(), []).append(value)
        request.query_values = values
    return values


def given(request: Request, name: str) -> bool:
    """Whether the query has `name` at all, empty or not."""
    return name.lower() in query_values(request)


def _one(request: Request, name: str) -> str | None:
    """The first of repeated values, as Go's `Form.Get` has it; the last for libpod, as gorilla/schema."""
    values = query_values(request).get(name.lower())
    if not values:
        return None
    return values[0] if request.flavour is Flavour.DOCKER else values[-1]


def docker_bool(request: Request, name: str, default: bool = False) -> bool:
    """As the Docker Engine: "", 0, no, false and none are false, anything else is true."""
    value = _one(request, name)
    return default if value is None else value.strip().lower() not in _DOCKER_FALSE


def libpod_bool(request: Request, name: str, default: bool = False) -> bool:
    """As Podman: Go's spellings, and `on`; an empty one keeps the default.

    Raises:
        InvalidParameter: anything else.
    """
    value = _one(request, name)
    if value is None or value == "":
        return default
    if value in _GO_TRUE:
        return True
    if value in _GO_FALSE:
        return False
    raise InvalidParameter(f"invalid value {value!r} for {name}: it is not a boolean")


def string(request: Request, name: str, default: str | None = None) -> str | None:
    """The text; an empty one keeps the default."""
    return _one(request, name) or default


def integer(
    request: Request, name: str, default: int | None = None, minimum: int | None = None, maximum: int | None = None
) -> int | None:
    """A whole number in decimal; an empty one keeps the default.

    Raises:
        InvalidParameter: it is no number, or outside of the range.
    """
    value = _one(request, name)
    if not value:
        return default
    try:
        if len(value) > 20 or not value.isascii() or "_" in value:
            raise ValueError
        number_ = int(value)
    except ValueError:
        raise InvalidParameter(f"invalid value {value[:64]!r} for {name}: it is not a whole number") from None
    if minimum is not None and number_ < minimum:
        raise InvalidParameter(f"invalid value {number_} for {name}: it must be at least {minimum}")
    if maximum is not None and number_ > maximum:
        raise InvalidParameter(f"invalid value {number_} for {name}: it must be at most {maximum}")
    return number_


def number(request: Request, name: str, default: float | None = None) -> float | None:
    """A finite number, which may have a fraction; an empty one keeps the default.

    Raises:
        InvalidParameter: it is no number.
    """
    value = _one(request, name)
    if not value:
        return default
    try:
        result = float(value)
    except ValueError:
        result = float("nan")
    if not -1e300 < result < 1e300:
        raise InvalidParameter(f"invalid value {value[:64]!r} for {name}: it is not a number")
    return result


def strings(request: Request, name: str) -> tuple[str, ...]:
    """All values of a repeated name; commas do not split, empty ones are left out."""
    return tuple(value for value in query_values(request).get(name.lower(), ()) if value)


def filters(request: Request) -> dict[str, tuple[str, ...]]:
    """`filters` in either form, `{"k": {"v": true}}` or `{"k": ["v"]}`, as key -> values.

    Raises:
        InvalidParameter: it is neither.
    """
    text = _one(request, "filters")
    if not text:
        return {}
    try:
        decoded = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidParameter("invalid filters: they are not JSON") from None
    if decoded is None:
        return {}
    if not isinstance(decoded, dict):
        raise InvalidParameter("invalid filters: they are not a JSON object")
    return {key: _filter_values(key, value) for key, value in decoded.items()}


def _filter_values(key: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, dict) and all(isinstance(each, bool) for each in value.values()):
        return tuple(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise InvalidParameter(f"invalid filters: the values of {key!r} are neither a list of strings nor a set")
