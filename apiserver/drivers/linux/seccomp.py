"""containers-common's seccomp profile, evaluated for one container into OCI's `linux.seccomp`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, cast

from apiserver.jsonvalue import JsonObject

_GO_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "i686": "x86",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "mips64": "mips64",
}
_SECCOMP_ARCHITECTURES = {
    "x86_64": "SCMP_ARCH_X86_64",
    "aarch64": "SCMP_ARCH_AARCH64",
    "armv7l": "SCMP_ARCH_ARM",
    "i686": "SCMP_ARCH_X86",
    "ppc64le": "SCMP_ARCH_PPC64LE",
    "s390x": "SCMP_ARCH_S390X",
    "riscv64": "SCMP_ARCH_RISCV64",
    "mips64": "SCMP_ARCH_MIPS64",
}


def evaluate(
    profile: Mapping[str, Any], *, capabilities: Collection[str], machine: str, kernel: tuple[int, int]
) -> JsonObject:
    """Evaluate a profile's `includes` and `excludes`.

    Args:
        profile: seccomp.json of containers-common, or a client's own in Docker's form or in OCI's.
        capabilities: the container's bounding set, `CAP_...`.
        machine: as uname says, such as `x86_64`.
        kernel: its version, for `minKernel`.

    Raises:
        ValueError: it is no profile; the text names the key.
    """
    if not isinstance(profile.get("defaultAction"), str):
        raise ValueError("defaultAction is missing")
    result: dict[str, Any] = {"defaultAction": profile["defaultAction"]}
    for key in ("flags", "listenerPath", "listenerMetadata"):
        if profile.get(key):
            result[key] = profile[key]
    if profile.get("defaultErrnoRet") is not None:
        result["defaultErrnoRet"] = profile["defaultErrnoRet"]
    if architectures := _architectures(profile, machine):
        result["architectures"] = architectures
    calls = profile.get("syscalls")
    calls = [] if calls is None else calls
    if not isinstance(calls, list):
        raise ValueError("syscalls is no list")
    result["syscalls"] = [
        _rule(entry)
        for entry in calls
        if _applies(entry, capabilities, _GO_ARCHITECTURES.get(machine, machine), kernel)
    ]
    return cast(JsonObject, result)


def kernel_version(release: str) -> tuple[int, int]:
    """(6, 18) of `6.18.44-fc-v782`."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _architectures(profile: Mapping[str, Any], machine: str) -> list[str]:
    if given := profile.get("architectures"):
        return list(given)
    native = _SECCOMP_ARCHITECTURES.get(machine)
    for entry in profile.get("archMap") or []:
        if entry.get("architecture") == native:
            return [entry["architecture"], *(entry.get("subArchitectures") or [])]
    return []


def _applies(
    entry: Mapping[str, Any], capabilities: Collection[str], architecture: str, kernel: tuple[int, int]
) -> bool:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    if includes.get("arches") and architecture not in includes["arches"]:
        return False
    if architecture in (excludes.get("arches") or ()):
        return False
    if not all(name in capabilities for name in includes.get("caps") or ()):
        return False
    if any(name in capabilities for name in excludes.get("caps") or ()):
        return False
    if includes.get("minKernel") and kernel < kernel_version(includes["minKernel"]):
        return False
    return not (excludes.get("minKernel") and kernel >= kernel_version(excludes["minKernel"]))


def _rule(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = entry.get("names") or ([entry["name"]] if entry.get("name") else [])
    if not names or not isinstance(entry.get("action"), str):
        raise ValueError("an entry of syscalls has no names or no action")
    rule: dict[str, Any] = {"names": list(names), "action": entry["action"]}
    if entry.get("errnoRet") is not None:
        rule["errnoRet"] = entry["errnoRet"]
    arguments = [
        {key: argument[key] for key in ("index", "value", "valueTwo", "op") if key in argument}
        for argument in entry.get("args") or []
    ]
    return rule | ({"args": arguments} if arguments else {})
