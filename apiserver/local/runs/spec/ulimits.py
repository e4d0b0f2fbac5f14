"""`process.rlimits`: what was asked for as far as this service may give it, and its own hard limits else."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

from apiserver.engine.containers.options.ulimits import NAMES, UNLIMITED, Ulimit
from apiserver.jsonvalue import JsonValue

_LOCKS = 10
"""RLIMIT_LOCKS, which Python does not name."""


def ceilings(*, may_raise: bool) -> dict[str, int]:
    """The highest hard limits that a process started here can be given, by short name; -1 is unlimited.

    Args:
        may_raise: we have CAP_SYS_RESOURCE, so that our own limits are none.
    """
    if may_raise:
        # Not even with the capability: the kernel's own limit of descriptors.
        return {"nofile": int(Path("/proc/sys/fs/nr_open").read_text())}
    kinds = {name: getattr(resource, f"RLIMIT_{name.upper()}", _LOCKS) for name in NAMES}
    return {name: resource.getrlimit(kind)[1] for name, kind in kinds.items()}


def rlimits(
    asked: Sequence[Ulimit], own: Mapping[str, tuple[int, int]], highest: Mapping[str, int]
) -> list[dict[str, JsonValue]]:
    """
    Args:
        own: short name -> soft and hard limit of this service, for those that each container gets; as hard ones, which
            need no privilege to give.
        highest: of `ceilings`.
    """
    found = {name: (hard, hard) for name, (_, hard) in own.items()}
    for each in asked:
        ceiling = highest.get(each.name, UNLIMITED)
        found[each.name] = _lower(each.soft, ceiling), _lower(each.hard, ceiling)
    return [
        {"type": f"RLIMIT_{name.upper()}", "hard": _unsigned(hard), "soft": _unsigned(soft)}
        for name, (soft, hard) in found.items()
    ]


def warnings(asked: Sequence[Ulimit], highest: Mapping[str, int]) -> tuple[str, ...]:
    """What is clamped on this host."""
    return tuple(
        f"The service may not give more than its own hard limit {each.name}={highest[each.name]}. Ulimit clamped."
        for each in asked
        if each.name in highest and _lower(each.hard, highest[each.name]) != each.hard
    )


def _lower(wanted: int, ceiling: int) -> int:
    if ceiling == UNLIMITED:
        return wanted
    return ceiling if wanted == UNLIMITED else min(wanted, ceiling)


def _unsigned(limit: int) -> int:
    return (1 << 64) - 1 if limit < 0 else limit
