"""A client's seccomp profile, looked at before anything is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apiserver.engine.containers.options.seccomp_profile import check_profile
from apiserver.errors import InvalidParameter


def profile(**rule: Any) -> str:
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ERRNO"} | rule]})


def test_the_profile_of_the_host_is_one() -> None:
    check_profile(Path("/usr/share/containers/seccomp.json").read_text())


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "mkdir"},
        {"names": ["mkdir"], "args": None, "includes": None, "excludes": {"caps": None}, "comment": 5},
        {"names": ["mkdir"], "args": [{"index": 5, "value": 2**64 - 1, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
    ],
)
def test_what_docker_takes_is_taken(rule: dict[str, Any]) -> None:
    check_profile(profile(**rule))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{}", "defaultAction"),
        ("[]", "object"),
        (profile(names=["x"], args="abc"), "$.syscalls[0].args"),
        (profile(names=["x"], args=[None]), "$.syscalls[0].args"),
        (profile(names=["x"], args=[{"index": 6, "op": "SCMP_CMP_EQ"}]), "$.syscalls[0].args[0].index"),
        (profile(names=["x"], args=[{"index": 0, "op": "EQ"}]), "'EQ'"),
        (profile(names=["x"], args=[{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]), "$.syscalls[0].args[0].value"),
        (profile(names=[5]), "$.syscalls[0].names[0]"),
        (profile(), "$.syscalls[0]"),
        (profile(names=["x"], action="SCMP_ACT_NOTIFY"), "SCMP_ACT_NOTIFY"),
        (profile(names=["x"], errnoRet="EPERM"), "$.syscalls[0].errnoRet"),
        (profile(names=["x"], includes={"minKernel": 5}), "$.syscalls[0].includes.minKernel"),
        (profile(names=["x"], excludes={"caps": "CAP_CHOWN"}), "$.syscalls[0].excludes.caps"),
        ("[" * 100_000, "seccomp"),
    ],
)
def test_what_no_runtime_takes_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(InvalidParameter, match="seccomp profile") as refused:
        check_profile(text)
    assert place in str(refused.value)
