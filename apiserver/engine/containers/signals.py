"""Signals as clients write them."""

from __future__ import annotations

import signal

from apiserver.errors import InvalidParameter

_LAST = 64
_RTMIN, _RTMAX = 34, 64
"""As programs in a container see them with glibc, which keeps two for itself; Docker's numbers too."""


class InvalidSignal(InvalidParameter):
    cause = "invalid signal"
    docker = libpod = "invalid signal: {subject}"


def signal_number(text: str) -> int:
    """`SIGTERM`, `term`, `15`, `RTMIN+3`, `SIGRTMAX-1` as a number from 1 to 64.

    Raises:
        InvalidSignal
    """
    name = text.strip().upper()
    if name.isascii() and name.isdecimal():
        number = int(name) if len(name) < 4 else 0
    else:
        number = _by_name(name.removeprefix("SIG"))
    if not 1 <= number <= _LAST:
        raise InvalidSignal(text)
    return number


def signal_name(number: int) -> str:
    """`SIGTERM`; a number without a name stays one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _by_name(name: str) -> int:
    for prefix, base, sign in (("RTMIN", _RTMIN, 1), ("RTMAX", _RTMAX, -1)):
        rest = name.removeprefix(prefix)
        if rest == name:
            continue
        if not rest:
            return base
        if rest[0] == "+-"[sign < 0] and rest[1:].isascii() and rest[1:].isdecimal() and len(rest) < 4:
            number = base + sign * int(rest[1:])
            return number if _RTMIN <= number <= _RTMAX else 0
        return 0
    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError:
        return 0
