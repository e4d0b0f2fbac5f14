"""Limits of each process: their names, their order, and what a service without the privilege can give."""

from __future__ import annotations

import pytest

from apiserver.engine.containers.options import ulimits as options
from apiserver.engine.containers.options.ulimits import NAMES, Ulimit
from apiserver.errors import InvalidParameter
from apiserver.local.runs.spec import ulimits

UNLIMITED = (1 << 64) - 1


def test_a_name_is_the_kernels_or_the_shells() -> None:
    asked = [Ulimit("RLIMIT_NOFILE", 1, 2), Ulimit("core", -1, -1), Ulimit("stack", 5, 2**64 - 1)]
    assert options.validated(asked) == (Ulimit("nofile", 1, 2), Ulimit("core", -1, -1), Ulimit("stack", 5, -1))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([Ulimit("files", 1, 1)], "invalid ulimit type: files"),
        ([Ulimit("", 1, 1)], "invalid ulimit type"),
        ([Ulimit("nofile", 2, 1)], "soft limit must be less than or equal to hard limit: nofile: 2 > 1"),
        ([Ulimit("nofile", -1, 1)], "must be less than or equal to hard limit: nofile: -1 \\(unlimited\\) > 1"),
        ([Ulimit("nofile", -2, 1)], "invalid ulimit nofile: -2"),
        ([Ulimit("nofile", 1, 1), Ulimit("RLIMIT_NOFILE", 2, 2)], "nofile is given twice"),
    ],
)
def test_what_no_limit_can_be_is_refused_by_name(asked: list[Ulimit], words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        options.validated(asked)


OWN = {"nofile": (1024, 4096), "nproc": (5, -1)}


def test_without_asking_a_process_has_the_services_hard_limits() -> None:
    assert ulimits.rlimits((), OWN, {}) == [
        {"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 4096},
        {"type": "RLIMIT_NPROC", "hard": UNLIMITED, "soft": UNLIMITED},
    ]


def test_what_is_above_our_own_limit_is_clamped_and_said() -> None:
    highest = {"nofile": 4096, "core": 0, "cpu": -1}
    asked = (Ulimit("nofile", 100, 8192), Ulimit("core", -1, -1), Ulimit("cpu", 7, -1), Ulimit("fsize", 1, 2))
    assert ulimits.rlimits(asked, {}, highest) == [
        {"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 100},
        {"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
        {"type": "RLIMIT_CPU", "hard": UNLIMITED, "soft": 7},
        {"type": "RLIMIT_FSIZE", "hard": 2, "soft": 1},
    ]
    said = ulimits.warnings(asked, highest)
    assert [word in text for word, text in zip(("nofile=4096", "core=0"), said, strict=True)] == [True, True]


def test_every_limit_of_the_kernel_is_looked_up() -> None:
    assert set(ulimits.ceilings(may_raise=False)) == NAMES
    assert set(ulimits.ceilings(may_raise=True)) == {"nofile"}
