"""The default profile's conditions, evaluated for one container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apiserver.drivers.linux.seccomp import evaluate, kernel_version

PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "defaultErrno": "ENOSYS",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "", "includes": {}, "excludes": {}},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["arm_sync"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm", "arm64"]}},
        {"names": ["modify_ldt"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"]}},
        {"names": ["s390"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"name": "personality", "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]},
    ],
}


def rules(*capabilities: str, machine: str = "x86_64", kernel: tuple[int, int] = (6, 1)) -> list[Any]:
    result = evaluate(PROFILE, capabilities=capabilities, machine=machine, kernel=kernel)["syscalls"]
    assert isinstance(result, list)
    return result


def names(found: list[Any]) -> list[str]:
    return [rule["names"][0] for rule in found]


def test_a_capability_opens_what_is_forbidden_without_it() -> None:
    assert next(rule for rule in rules() if rule["names"] == ["mount"]) == {
        "names": ["mount"],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": 1,
    }
    assert next(rule for rule in rules("CAP_SYS_ADMIN") if rule["names"] == ["mount"])["action"] == "SCMP_ACT_ALLOW"


def test_rules_of_other_architectures_are_left_out() -> None:
    assert names(rules()) == ["read", "mount", "modify_ldt", "ptrace", "personality"]
    assert names(rules(machine="aarch64")) == ["read", "mount", "arm_sync", "s390", "ptrace", "personality"]


def test_rules_of_newer_kernels_are_left_out() -> None:
    assert "ptrace" not in names(rules(kernel=(4, 7)))


def test_arguments_are_kept_and_empty_ones_are_not() -> None:
    found = rules()
    assert found[-1]["args"] == [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]
    assert found[0] == {"names": ["read"], "action": "SCMP_ACT_ALLOW"}


def test_the_result_is_the_runtimes_form() -> None:
    result = evaluate(PROFILE, capabilities=(), machine="x86_64", kernel=(6, 1))
    assert result["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert result["defaultErrnoRet"] == 38
    assert not {"defaultErrno", "archMap"} & result.keys()


@pytest.mark.parametrize(
    "profile",
    [{}, {"defaultAction": 5}, {"defaultAction": "x", "syscalls": {}}, {"defaultAction": "x", "syscalls": [{}]}],
)
def test_what_is_no_profile_is_refused(profile: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"defaultAction|syscalls"):
        evaluate(profile, capabilities=(), machine="x86_64", kernel=(6, 1))


def test_a_kernels_release_is_its_version() -> None:
    assert (kernel_version("6.18.44-fc-v782"), kernel_version("5.10"), kernel_version("odd")) == (
        (6, 18),
        (5, 10),
        (0, 0),
    )


def test_the_installed_profile_forbids_bpf_and_allows_write() -> None:
    profile = json.loads(Path("/usr/share/containers/seccomp.json").read_bytes())
    result = evaluate(profile, capabilities=(), machine="x86_64", kernel=(6, 1))
    found = result["syscalls"]
    assert isinstance(found, list)
    allowed = {name for rule in found if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert "write" in allowed
    assert not {"bpf", "delete_module", "settimeofday"} & allowed
