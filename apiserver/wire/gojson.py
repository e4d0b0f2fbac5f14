"""How Go programs write times and spans of time in JSON, and how their clients write them in a query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from apiserver.errors import InvalidParameter

ZERO_TIME: Final = "0001-01-01T00:00:00Z"
"""Go's zero time, where something has not happened."""

_FRACTION = re.compile(r"([0-9]+)(?:\.([0-9]{1,9}))?")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_UNIT_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def go_time(moment: datetime | None, nanosecond: int | None = None) -> str:
    """RFC 3339 in UTC with as many digits of the second as are not zero, as Go's RFC3339Nano.

    Args:
        nanosecond: the fraction of the second where it is known more exactly than `moment` can say.
    """
    if moment is None:
        return ZERO_TIME
    moment = moment.astimezone(UTC)
    fraction = f"{moment.microsecond * 1000 if nanosecond is None else nanosecond:09d}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + "Z"


def fixed_time(moment: datetime, nanosecond: int | None = None) -> str:
    """RFC 3339 in UTC with always nine digits of the second, as in the lines of `logs?timestamps=1`."""
    moment = moment.astimezone(UTC)
    fraction = moment.microsecond * 1000 if nanosecond is None else nanosecond
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def unix_seconds(moment: datetime | None) -> int:
    """0 where there is none; floats would lose digits."""
    return 0 if moment is None else (moment - EPOCH) // timedelta(seconds=1)


def unix_nanoseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def human_duration(span: timedelta) -> str:
    """A span in Docker's words: `Less than a second`, `About a minute`, `3 hours` (docker/go-units, duration.go)."""
    seconds = int(span.total_seconds())
    minutes, hours = seconds // 60, int(span.total_seconds() / 3600 + 0.5)
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return _plural(seconds, "second")
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{int(span.total_seconds() / 3600) // 24 // 365} years"


def human_size(size_bytes: int) -> str:
    """Four digits of a size: `1MB`, `1.049MB` (docker/go-units, size.go)."""
    size, units = float(size_bytes), ("B", "kB", "MB", "GB", "TB", "PB", "EB")
    unit = 0
    while size >= 1000 and unit < len(units) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.4g}{units[unit]}"


def _plural(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def parse_duration(text: str) -> timedelta:
    """Go's duration grammar: `1h30m`, `-1.5s`, `0`.

    Raises:
        ValueError: it is none.
    """
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return timedelta()
    parts = _DURATION.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f"invalid duration {text!r}")
    try:
        return sign * timedelta(seconds=sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"invalid duration {text!r}") from None


def parse_moment(name: str, text: str, now: datetime, *, ahead: bool = False) -> datetime | None:
    """A moment as clients write it in `since` and `until`; None for `""`.

    Unix seconds with a fraction, RFC 3339 (also a date alone, or without a zone), or Go's duration, before `now`, or
    after it where it is looked for `ahead`.

    Raises:
        InvalidParameter: it is none of them; the message holds `name`.
    """
    if not text:
        return None
    try:
        if match := _FRACTION.fullmatch(text):
            fraction = (match[2] or "").ljust(9, "0")
            return EPOCH + timedelta(seconds=int(match[1]), microseconds=int(fraction) // 1000)
        if match := _TIME.fullmatch(text):
            day, hour, minute, second, fraction, zone = match.groups()
            written = f"{day}T{hour or '00'}:{minute or '00'}:{second or '00'}.{(fraction or '').ljust(6, '0')[:6]}"
            return datetime.fromisoformat(written + ("+00:00" if zone in (None, "Z") else zone))
        span = parse_duration(text)
        return now + span if ahead else now - span
    except (ValueError, OverflowError):
        raise InvalidParameter(f'invalid value for {name}: "{text[:64]}" is no time and no duration') from None


def sorted_map(values: Mapping[str, str]) -> dict[str, str]:
    """Go writes the keys of a map in order."""
    return dict(sorted(values.items()))


def null_if_empty(values: Sequence[str]) -> list[str] | None:
    """A nil slice of Go is null."""
    return list(values) or None
