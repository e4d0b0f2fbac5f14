"""The whole OCI configuration of one run, from its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apiserver.drivers.linux import seccomp
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.containers.options.security import Security
from apiserver.engine.ports.runs import RunSpec
from apiserver.errors import HostError, InvalidParameter
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.local.runs.machine import Machine
from apiserver.local.runs.plan import RunPlan
from apiserver.local.runs.spec import devices, init, limits, mounts, namespaces, process, security, sysctls, ulimits
from apiserver.local.runs.spec.host_devices import DeviceNode
from apiserver.local.runs.spec.mounts import Placed
from apiserver.local.runs.spec.users import User

OCI_VERSION = "1.0.2"


class Seccomp:
    """The default profile, read once and evaluated once per set of capabilities: it is 40 KB of JSON."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._default: Mapping[str, Any] | None = None
        self._evaluated: dict[frozenset[str], JsonObject] = {}

    def profile(self, options: Security, capabilities: Sequence[str]) -> JsonObject | None:
        """`linux.seccomp`; None for unconfined.

        Raises:
            InvalidParameter: the client's own profile is none.
            HostError: there is no default profile on this host.
        """
        if security.unconfined_seccomp(options):
            return None
        if options.seccomp:
            try:
                return self._evaluate(json.loads(options.seccomp), capabilities)
            except (ValueError, TypeError, AttributeError) as error:
                raise InvalidParameter(f"invalid seccomp profile: {error}") from error
        key = frozenset(capabilities)
        if key not in self._evaluated:
            self._evaluated[key] = self._evaluate(self._read_default(), capabilities)
        return self._evaluated[key]

    def _read_default(self) -> Mapping[str, Any]:
        if self._default is None:
            path = self._machine.host.seccomp_profile
            if path is None:
                raise HostError(
                    "the default seccomp profile /usr/share/containers/seccomp.json is missing; run `apiserver check`"
                )
            self._default = json.loads(path.read_text())
        return self._default

    def _evaluate(self, profile: Mapping[str, Any], capabilities: Sequence[str]) -> JsonObject:
        return seccomp.evaluate(
            profile,
            capabilities=capabilities,
            machine=self._machine.host.machine,
            kernel=self._machine.host.kernel_version,
        )


def our_mounts(spec: RunSpec, machine: Machine, files: Mapping[str, Path]) -> list[Placed]:
    """Raises: ProgramMissing, InitMissing."""
    options = spec.options
    kernel = mounts.kernel_mounts(options.mounts, privileged=options.security.privileged, ipc=options.namespaces.ipc)
    init_program = init.mount(options.lifecycle, machine.host.programs.get(init.PROGRAM))
    own_files = mounts.file_mounts(files, read_only=options.mounts.read_only_rootfs)
    return [*kernel, *own_files, *init_program]


def process_of(spec: RunSpec, machine: Machine, *, user: User, hostname: str) -> JsonObject:
    """The OCI process of a run's first process.

    Raises:
        InvalidParameter
    """
    options = spec.options
    terminal = options.process.terminal
    return process.process_object(
        init.arguments(options.lifecycle, process.arguments(options.process.argv)),
        process.environment(options.process.env, hostname=hostname, terminal=terminal, home=user.home),
        cwd=process.working_dir(options.process.working_dir),
        user=user,
        terminal=terminal,
        console_size=options.process.console_size,
        capabilities=security.capabilities(options.security, machine.capabilities),
        rlimits=ulimits.rlimits(options.limits.ulimits, machine.rlimits, machine.highest_ulimits),
        no_new_privileges=options.security.no_new_privileges,
        apparmor=security.apparmor_profile(options.security, machine.apparmor),
        oom_score_adj=limits.oom_score_adj(
            options.limits, machine.oom_score_adj, may_lower=machine.may_lower_oom_score
        ),
        umask=options.process.umask,
        held_by_users=security.held_by_users(options.security, machine.capabilities),
    )


def configuration(
    spec: RunSpec,
    plan: RunPlan,
    machine: Machine,
    seccomp_profiles: Seccomp,
    *,
    process: JsonObject,
    hostname: str,
    ours: Sequence[Placed],
    asked: Sequence[Placed],
    nodes: Sequence[DeviceNode] = (),
) -> JsonObject:
    """`config.json`.

    No hook, and no annotation of theirs: what an image or a client writes into labels never steers the runtime.
    """
    options = spec.options
    capabilities = security.capabilities(options.security, machine.capabilities)
    resources: dict[str, JsonValue] = dict(limits.resources(options.limits, machine.acting))
    resources["devices"] = devices.rules(nodes, options.devices.rules, privileged=options.security.privileged)
    linux: dict[str, JsonValue] = {
        "namespaces": namespaces.entries(
            options.namespaces,
            options.network,
            unified=machine.unified,
            network_namespace=spec.network.namespace if spec.network else "",
        ),
        "cgroupsPath": plan.cgroup,
        "resources": resources,
        "rootfsPropagation": mounts.rootfs_propagation(asked),
        "maskedPaths": security.masked_paths(options.security, machine.thermal),
        "readonlyPaths": security.read_only_paths(options.security),
    }
    sysctl = sysctls.entries(options, machine.sysctls)
    if sysctl:
        linux["sysctl"] = dict(sysctl)
    if nodes or options.security.privileged:
        linux["devices"] = devices.nodes(nodes, privileged=options.security.privileged)
    profile = seccomp_profiles.profile(options.security, capabilities)
    if profile is not None:
        linux["seccomp"] = profile
    found: JsonObject = {
        "ociVersion": OCI_VERSION,
        "process": process,
        "root": {"path": str(plan.container.merged), "readonly": options.mounts.read_only_rootfs},
        "mounts": [mount.to_json() for mount in mounts.merged(ours, asked)],
        "linux": linux,
    }
    if options.namespaces.uts is Namespace.PRIVATE:
        found["hostname"] = hostname
    return found
