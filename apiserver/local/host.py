"""What the engine may know of this machine: `HostFacts` from the host and what its programs said."""

from __future__ import annotations

import os
from collections.abc import Mapping

from apiserver.config.host import CgroupMode, Host
from apiserver.engine.containers.options import Security
from apiserver.engine.ports.host import HostFacts
from apiserver.local.paths import Paths
from apiserver.local.runs.machine import Machine
from apiserver.local.runs.spec.security import capabilities

_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
_LIMITS = ("memory", "swap", "pids", "cpu", "cpuset")


def host_facts(host: Host, machine: Machine, paths: Paths, versions: Mapping[str, str] | None = None) -> HostFacts:
    """The facts as they are now.

    Args:
        versions: program -> version, of those that were asked so far.
    """
    unified = host.cgroup_mode is CgroupMode.UNIFIED
    security = ["seccomp"] if host.seccomp and host.seccomp_profile is not None else []
    security += ["apparmor"] if machine.apparmor is not None else []
    security += ["cgroupns"]
    missing = [kind for kind in _LIMITS if kind not in machine.acting.kinds]
    return HostFacts(
        name=host.name,
        operating_system=host.operating_system,
        kernel=host.kernel,
        architecture=host.machine,
        processors=host.processors,
        memory_bytes=host.memory_bytes,
        cgroup_version="2" if unified else "1",
        cgroup_manager="cgroupfs",
        storage_driver="overlay",
        root=str(paths.root),
        runroot=str(paths.runroot),
        volumes=str(paths.volumes),
        storage=str(paths.storage),
        storage_configuration=str(paths.storage_conf),
        copies=str(paths.spool),
        programs={name: str(path) for name, path in host.programs.items()},
        controllers=tuple(sorted(host.controllers)),
        capabilities=tuple(capabilities(Security(), machine.capabilities)),
        seccomp_profile=str(host.seccomp_profile or ""),
        runtimes={name: str(path) for name, path in host.runtimes.items()},
        default_runtime=host.default_runtime or "",
        components=dict(versions or {}),
        security=tuple(security),
        limits=machine.acting.kinds,
        warnings=tuple(f"WARNING: No {kind} limit support" for kind in missing),
        boot_id=host.boot_id,
        proxies={name: os.environ[name] for low in _PROXIES for name in (low, low.upper()) if os.environ.get(name, "")},
    )
