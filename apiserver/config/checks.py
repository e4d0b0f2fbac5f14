"""What `apiserver check` looks at: each item, whether it works, and what to do where it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from enum import Enum

from msgspec import Struct

from apiserver.config.host import Host
from apiserver.config.host.programs import PACKAGES, choose_runtime, version_numbers

_LIMITS = {"memory": "memory", "pids": "pids", "cpu": "cpu", "cpuset": "cpuset", "blkio": "block I/O"}
_OPEN_FILES_WANTED = 4096


class Result(Enum):
    """FAILED: containers cannot run. MISSING: something that one can do without does not work."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"
    FAILED = "FAILED"


class Check(Struct, frozen=True):
    """One line; `advice` says what to do, "" where nothing is to be done."""

    item: str
    result: Result
    found: str
    advice: str = ""


def checks(host: Host, versions: Mapping[str, str]) -> list[Check]:
    """All items, the necessary ones first.

    Args:
        versions: program -> version, of those that could be asked.
    """
    return [
        _user(host),
        _cgroups(host),
        _runtime(host, versions),
        *(_necessary(host, versions, name, purpose) for name, purpose in _NECESSARY.items()),
        _overlay(host),
        *(_useful(host, versions, name, purpose) for name, purpose in _USEFUL.items()),
        _firewall(host, versions),
        _limits(host),
        _seccomp(host),
        _apparmor(host),
        _open_files(host),
        *_services(host),
        *_known_faults(versions),
    ]


def containers_can_run(results: list[Check]) -> bool:
    """Whether nothing necessary is missing."""
    return all(check.result is not Result.FAILED for check in results)


_NECESSARY = {"conmon": "watches every container", "unshare": "makes network namespaces"}
_USEFUL = {
    "skopeo": "moves images in and out",
    "buildah": "tags, removes and builds images",
    "netavark": "makes networks and published ports",
    "aardvark-dns": "lets containers find each other by name",
    "catatonit": "is process 1 of containers with --init",
    "tar": "copies files in and out",
    "criu": "checkpoints containers",
}


def _install(program: str) -> str:
    return f"apt-get install {PACKAGES[program]}"


def _program(host: Host, versions: Mapping[str, str], name: str) -> str:
    return f"{versions.get(name) or 'version unknown'}, {host.programs[name]}"


def _user(host: Host) -> Check:
    if host.uid != 0:
        return Check("user", Result.FAILED, f"uid {host.uid}", "run it as root")
    if "CAP_SYS_ADMIN" not in host.capabilities:
        return Check("user", Result.FAILED, "root without CAP_SYS_ADMIN", "give it the capability: it mounts")
    return Check("user", Result.OK, "root")


def _cgroups(host: Host) -> Check:
    found = f"{host.cgroup_mode.value}, controllers: {' '.join(sorted(host.controllers)) or 'none'}"
    if not host.hierarchies:
        return Check("cgroups", Result.FAILED, "none mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup")
    if read_only := [str(tree.mount) for tree in host.hierarchies if not tree.writable]:
        return Check("cgroups", Result.FAILED, f"{found}; read-only: {' '.join(read_only)}", "mount them read-write")
    return Check("cgroups", Result.OK, found)


def _runtime(host: Host, versions: Mapping[str, str]) -> Check:
    if host.default_runtime is None:
        return Check("OCI runtime", Result.FAILED, ", ".join(host.runtimes) or "none found", _runtime_advice(host))
    found = f"{host.default_runtime} {_program(host, versions, host.default_runtime)}"
    others = [f"{name} {versions.get(name, '')}".strip() for name in host.runtimes if name != host.default_runtime]
    return Check("OCI runtime", Result.OK, "; also ".join([found, *others]))


def _runtime_advice(host: Host) -> str:
    if choose_runtime(host.runtimes, host.unusable_runtimes) is not None:
        return "choose one of these: the configured one is not there"
    if "crun" in host.runtimes:
        return f"{_install('runc')}; crun does not work here: {host.unusable_runtimes.get('crun', 'see above')}"
    return f"{_install('crun')} (or runc)"


def _necessary(host: Host, versions: Mapping[str, str], name: str, purpose: str) -> Check:
    if name in host.programs:
        return Check(name, Result.OK, _program(host, versions, name))
    return Check(name, Result.FAILED, f"not installed; it {purpose}", _install(name))


def _useful(host: Host, versions: Mapping[str, str], name: str, purpose: str) -> Check:
    if name in host.programs:
        return Check(name, Result.OK, _program(host, versions, name))
    return Check(name, Result.MISSING, f"not installed; it {purpose}", _install(name))


def _overlay(host: Host) -> Check:
    if host.overlay:
        return Check("overlay", Result.OK, f"kernel {host.kernel}")
    return Check(
        "overlay", Result.FAILED, f"kernel {host.kernel} has no overlayfs", "modprobe overlay, or another kernel"
    )


def _firewall(host: Host, versions: Mapping[str, str]) -> Check:
    found = [f"{name} {versions.get(name, '')}".strip() for name in ("nft", "iptables") if name in host.programs]
    if not found:
        return Check("firewall", Result.MISSING, "no published ports", f"{_install('nft')} (or iptables)")
    netavark = version_numbers(versions.get("netavark", ""))
    if netavark and netavark < (1, 10) and "iptables" not in host.programs:
        return Check("firewall", Result.MISSING, "netavark before 1.10 knows iptables alone", _install("iptables"))
    return Check("firewall", Result.OK, ", ".join(found))


def _limits(host: Host) -> Check:
    names = host.controllers | ({"blkio"} if "io" in host.controllers else set())
    missing = [words for name, words in _LIMITS.items() if name not in names]
    if not missing:
        return Check("limits", Result.OK, "memory, processes, cpu, block I/O")
    return Check(
        "limits",
        Result.MISSING,
        f"no limits of {', '.join(missing)}: they are left out with a warning",
        "enable these cgroup controllers on the kernel's command line",
    )


def _seccomp(host: Host) -> Check:
    if not host.seccomp:
        return Check("seccomp", Result.MISSING, "not in this kernel: containers run unfiltered")
    if host.seccomp_profile is None:
        return Check("seccomp", Result.MISSING, "no default profile", "apt-get install golang-github-containers-common")
    return Check("seccomp", Result.OK, str(host.seccomp_profile))


def _apparmor(host: Host) -> Check:
    if host.apparmor:
        return Check("apparmor", Result.OK, "enabled")
    return Check("apparmor", Result.MISSING, "not in this kernel, or no apparmor_parser: containers run without")


def _open_files(host: Host) -> Check:
    soft, hard = host.open_files
    found = f"open files {soft} of {hard}, processes {host.processes[0]} of {host.processes[1]}"
    if 0 <= soft < _OPEN_FILES_WANTED:
        return Check("rlimits", Result.MISSING, found, f"raise the limit of open files to {_OPEN_FILES_WANTED} or more")
    return Check("rlimits", Result.OK, found)


def _services(host: Host) -> Iterator[Check]:
    if host.systemd:
        yield Check("systemd", Result.OK, "running")
    else:
        yield Check("systemd", Result.MISSING, "not process 1: no socket activation, no units")
    if host.system_bus is not None and os.access(host.system_bus, os.W_OK):
        yield Check("D-Bus", Result.OK, str(host.system_bus))
    else:
        yield Check("D-Bus", Result.MISSING, "no system bus: no systemd cgroups", "apt-get install dbus")
    if host.journal is not None:
        yield Check("journal", Result.OK, str(host.journal))
    else:
        yield Check("journal", Result.MISSING, "no journald: no journald log driver")


_FAULTS = (
    # program, first version that has it, first that has not, what
    ("runc", (0,), (1, 2, 8), "CVE-2025-31133, -52565, -52881 (masked paths)"),
    ("runc", (1, 3), (1, 3, 3), "CVE-2025-31133, -52565, -52881 (masked paths)"),
    ("crun", (0,), (1, 28), "CVE-2026-47766 (follows a link at /dev)"),
    ("aardvark-dns", (1, 16), (1, 17, 1), "CVE-2026-35406 (one query stops names for all)"),
)


def _known_faults(versions: Mapping[str, str]) -> Iterator[Check]:
    """Faults that a container can use; a distribution may have mended its own without a new number."""
    for name, since, until, what in _FAULTS:
        version = versions.get(name)
        if version and since <= version_numbers(version) < until:
            advice = f"apt-get install --only-upgrade {PACKAGES[name]}"
            yield Check(f"{name} {version}", Result.WARNING, f"may have {what}", advice)
