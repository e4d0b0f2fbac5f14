"""Limits that the kernel keeps for each process of a container (setrlimit(2))."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from apiserver.errors import InvalidParameter

_NAMES = "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
NAMES = frozenset(_NAMES.split())
UNLIMITED = -1
_LARGEST = 2**63 - 1
"""More than this is unlimited too: clients write it as 18446744073709551615."""


class Ulimit(Struct, frozen=True):
    name: str
    """One of `NAMES` after validation; `RLIMIT_NOFILE` is `nofile`."""
    soft: int
    hard: int
    """-1: unlimited."""


def validated(ulimits: Sequence[Ulimit]) -> tuple[Ulimit, ...]:
    """With the names in their short form, each once.

    Raises:
        InvalidParameter: the message names the limit.
    """
    clean: dict[str, Ulimit] = {}
    for each in ulimits:
        name = each.name.lower().removeprefix("rlimit_")
        if name not in NAMES:
            raise InvalidParameter(f"invalid ulimit type: {each.name[:100]}")
        if name in clean:
            raise InvalidParameter(f"Ulimits: {name} is given twice")
        clean[name] = Ulimit(name, _value(name, each.soft), _value(name, each.hard))
        _check_order(clean[name])
    return tuple(clean.values())


def _value(name: str, value: int) -> int:
    if value < UNLIMITED:
        raise InvalidParameter(f"Ulimits: invalid ulimit {name}: {value}; use -1 for unlimited")
    return UNLIMITED if value > _LARGEST else value


def _check_order(ulimit: Ulimit) -> None:
    soft, hard = ulimit.soft, ulimit.hard
    if hard != UNLIMITED and (soft == UNLIMITED or soft > hard):
        shown = "-1 (unlimited)" if soft == UNLIMITED else soft
        raise InvalidParameter(
            f"ulimit soft limit must be less than or equal to hard limit: {ulimit.name}: {shown} > {hard}"
        )
