"""What the container's processes may do."""

from __future__ import annotations

import json

from apiserver.engine.containers.options import Security
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.docker.options.body import HostConfig
from apiserver.wire.gojson import null_if_empty

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""What Docker 28 shows where the client named none."""


def read_security(host: HostConfig) -> Security:
    options = _SecurityOptions()
    for number, option in enumerate(host.security_opt or (), 1):
        options.take(number, option)
    unconfined = options.system_paths_unconfined
    return Security(
        privileged=host.privileged,
        cap_add=tuple(_named("CapAdd", name) for name in host.cap_add or ()),
        cap_drop=tuple(_named("CapDrop", name) for name in host.cap_drop or ()),
        no_new_privileges=options.no_new_privileges,
        seccomp=options.seccomp,
        apparmor=options.apparmor,
        label_disabled=options.label_disabled,
        masked_paths=() if unconfined else _paths(host.masked_paths),
        read_only_paths=() if unconfined else _paths(host.readonly_paths),
        supplementary_groups=tuple(host.group_add or ()),
    )


def _paths(paths: list[str] | None) -> tuple[str, ...] | None:
    return None if paths is None else tuple(paths)


def _named(field: str, capability: str) -> str:
    if not capability.strip():
        raise InvalidParameter(f'HostConfig.{field}: invalid {field}: unknown capability: ""')
    return capability


class _SecurityOptions:
    """`key=value` or, older, `key:value`; `no-new-privileges` may stand alone."""

    def __init__(self) -> None:
        self.no_new_privileges = False
        self.seccomp = ""
        self.apparmor = ""
        self.label_disabled = False
        self.system_paths_unconfined = False

    def take(self, number: int, option: str) -> None:
        if option == "no-new-privileges":
            self.no_new_privileges = True
            return
        if option == "disable":
            self.label_disabled = True
            return
        key, separator, value = option.partition("=" if "=" in option else ":")
        if not separator:
            raise InvalidParameter(f'HostConfig.SecurityOpt: invalid --security-opt {number}: "{option[:200]}"')
        match key:
            case "no-new-privileges":
                self.no_new_privileges = _boolean(number, option, value)
            case "seccomp":
                self.seccomp = _seccomp(value)
            case "apparmor":
                self.apparmor = value
            case "label":
                if value != "disable":
                    raise NotImplementedYet("the option HostConfig.SecurityOpt label= (--security-opt label=)")
                self.label_disabled = True
            case "systempaths":
                if value != "unconfined":
                    raise InvalidParameter(f"HostConfig.SecurityOpt: invalid systempaths option: {value[:200]!r}")
                self.system_paths_unconfined = True
            case "writable-cgroups":
                if _boolean(number, option, value):
                    raise NotImplementedYet("the option HostConfig.SecurityOpt writable-cgroups (--security-opt)")
            case _:
                raise InvalidParameter(f'HostConfig.SecurityOpt: invalid --security-opt {number}: "{option[:200]}"')


def _boolean(number: int, option: str, value: str) -> bool:
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise InvalidParameter(f'HostConfig.SecurityOpt: invalid --security-opt {number}: "{option[:200]}"')


def _seccomp(value: str) -> str:
    """`builtin` is the default profile; otherwise the CLI sends the profile's own text, not its path."""
    if value in ("", "builtin"):
        return ""
    if value == "unconfined":
        return value
    try:
        profile = json.loads(value)
    except (ValueError, RecursionError):
        profile = None
    if not isinstance(profile, dict):
        raise InvalidParameter("HostConfig.SecurityOpt: Decoding seccomp profile failed: it is no JSON object")
    return value


def show_security_opt(security: Security) -> list[str] | None:
    """The options again, those that change the paths left out as Docker does."""
    shown = []
    if security.no_new_privileges:
        shown.append("no-new-privileges")
    if security.seccomp:
        shown.append(f"seccomp={security.seccomp}")
    if security.apparmor:
        shown.append(f"apparmor={security.apparmor}")
    if security.label_disabled or security.privileged:
        shown.append("label=disable")
    return null_if_empty(shown)


def show_masked_paths(security: Security) -> list[str] | None:
    if security.masked_paths is None:
        return None if security.privileged else list(MASKED_PATHS)
    return list(security.masked_paths)


def show_read_only_paths(security: Security) -> list[str] | None:
    if security.read_only_paths is None:
        return None if security.privileged else list(READ_ONLY_PATHS)
    return list(security.read_only_paths)
