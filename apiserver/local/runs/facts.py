"""Where a container's files are on this machine, and what its run is to it."""

from __future__ import annotations

import os

from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.runs import RunKey
from apiserver.local.paths import Paths
from apiserver.local.runs.identity import read_pid
from apiserver.local.runs.machine import Machine
from apiserver.local.runs.spec import init, security
from apiserver.local.runs.spec.assemble import OCI_VERSION


def run_facts(paths: Paths, machine: Machine, key: RunKey, options: ContainerOptions, cgroup: str) -> RunFacts:
    """Looks at a few names, and reads a pid: small enough for the reactor's thread.

    Args:
        key: the newest run's, or of the first one before there is any.
    """
    container, run = paths.container(key.container_id), paths.run(key.container_id, key.number)
    capabilities = tuple(security.capabilities(options.security, machine.capabilities))
    files = str(container.files)
    return RunFacts(
        directory=str(container.directory),
        hostname_file=_if_there(f"{files}/hostname"),
        hosts_file=_if_there(f"{files}/hosts"),
        resolv_conf=_if_there(f"{files}/resolv.conf"),
        log=str(container.log) if options.logging.driver is LogDriver.K8S_FILE else "",
        pid_file=str(run.pid_file),
        monitor_pid_file=options.lifecycle.monitor_pid_file or str(run.conmon_pid_file),
        monitor_pid=read_pid(run.conmon_pid_file),
        configuration=_if_there(str(run.config)),
        oci_version=OCI_VERSION,
        arguments=tuple(init.arguments(options.lifecycle, options.process.argv)),
        cgroup=cgroup,
        upper=str(container.upper),
        work=str(container.work),
        merged=str(container.merged),
        apparmor=security.apparmor_profile(options.security, machine.apparmor),
        bounding=capabilities,
        effective=capabilities
        if _is_root(options.process.user)
        else tuple(security.held_by_users(options.security, machine.capabilities)),
    )


def _if_there(path: str) -> str:
    return path if os.path.exists(path) else ""


def _is_root(user: str) -> bool:
    """By the name alone: only a start looks into the container's own passwd."""
    return user.partition(":")[0] in ("", "0", "root")
