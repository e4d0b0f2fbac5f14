"""What the container's processes may do: capabilities, seccomp, AppArmor, hidden paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from apiserver.engine.containers.options.security import UNCONFINED, Security
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonValue

DEFAULT_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
"""moby, daemon/pkg/oci/caps/defaults.go."""

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
"""moby, daemon/pkg/oci/defaults.go, and what podman adds: side channels and the host's hardware."""

THERMAL = "/sys/devices/system/cpu/cpu{number}/thermal_throttle"
"""One for each processor that has it (moby, since 28.3.3): interrupts of the host can be counted by it."""

READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

APPARMOR_PROFILES = ("docker-default", "containers-default", "container-default")


def capabilities(security: Security, available: Sequence[str]) -> list[str]:
    """The capabilities of the container's root user, in the kernel's order.

    Args:
        available: what this process has and could pass on, in the kernel's order; more cannot be given.

    Raises:
        InvalidParameter: a name that is no capability.
    """
    if security.privileged:
        return list(available)
    adds, drops = set(map(_name, security.cap_add)), set(map(_name, security.cap_drop))
    if "ALL" in adds:
        return [name for name in available if name not in drops]
    kept = set() if "ALL" in drops else set(DEFAULT_CAPABILITIES) - drops
    # One that is in both lists is added (moby, caps.TweakCapabilities).
    given = kept | adds
    return [name for name in available if name in given]


def held_by_users(security: Security, available: Sequence[str]) -> list[str]:
    """The capabilities of a first process that is not root's."""
    if not security.users_hold_added:
        return []
    adds = set(map(_name, security.cap_add))
    return [name for name in capabilities(security, available) if name in adds or "ALL" in adds]


def clamped(security: Security, available: Sequence[str]) -> tuple[str, ...]:
    """What was asked for by name and cannot be given."""
    return tuple(sorted({_name(name) for name in security.cap_add} - {"ALL"} - set(available)))


def capability_sets(names: Sequence[str], uid: int, held_by_users: Sequence[str] = ()) -> dict[str, JsonValue]:
    """`process.capabilities`.

    The inheritable set stays empty: with it a file's inheritable bits would raise privileges (CVE-2022-24769). A user
    who is not root gets the bounding set alone, as execve would leave it.

    Args:
        held_by_users: what one who is not root holds all the same; ambient, and so inheritable, to outlive an execve.
    """
    ambient: list[JsonValue] = [] if uid == 0 else list(held_by_users)
    held: list[JsonValue] = list(names) if uid == 0 else ambient
    return {
        "bounding": list(names),
        "effective": held,
        "permitted": held,
        "inheritable": ambient,
        "ambient": ambient,
    }


def masked_paths(security: Security, thermal: Sequence[str]) -> list[str]:
    """`linux.maskedPaths`; `thermal` are this host's paths of `THERMAL`."""
    if security.masked_paths is not None:
        return list(security.masked_paths)
    default = () if security.privileged else (*MASKED_PATHS, *thermal)
    return list(dict.fromkeys([*_but_unmasked(default, security.unmask), *security.mask]))


def read_only_paths(security: Security) -> list[str]:
    """`linux.readonlyPaths`."""
    if security.read_only_paths is not None:
        return list(security.read_only_paths)
    return [] if security.privileged else list(_but_unmasked(READ_ONLY_PATHS, security.unmask))


def _but_unmasked(paths: Iterable[str], patterns: Sequence[str]) -> Iterator[str]:
    for path in paths:
        if not any(pattern.upper() == "ALL" or _matches(path, pattern) for pattern in patterns):
            yield path


def _matches(path: str, pattern: str) -> bool:
    """A `*` stands for no slash, as with Go's path.Match."""
    names, wanted = path.split("/"), pattern.split("/")
    return len(names) == len(wanted) and all(map(fnmatchcase, names, wanted))


def apparmor_profile(security: Security, loaded: frozenset[str] | None) -> str:
    """`process.apparmorProfile`; empty for none.

    Args:
        loaded: the profiles that the kernel has; None where it has no AppArmor.
    """
    if loaded is None:
        return ""
    if security.privileged and not security.apparmor:
        return UNCONFINED
    return security.apparmor or next((profile for profile in APPARMOR_PROFILES if profile in loaded), "")


def ignored_apparmor(security: Security, loaded: frozenset[str] | None) -> str:
    """The profile that was asked for by name and that nothing here can keep to; empty for none.

    dockerd ignores it in silence (daemon/container_linux.go, saveAppArmorConfig); Podman refuses it
    (pkg/specgen/generate/security_linux.go, setupApparmor).

    Args:
        loaded: as for `apparmor_profile`.

    Raises:
        InvalidParameter: a profile that is not loaded, or that is not to be ignored; that in Podman's words.
    """
    name = security.apparmor
    if not name or name == UNCONFINED:
        return ""
    if loaded is not None:
        if name not in loaded:
            raise InvalidParameter(f"apparmor profile {name!r} is not loaded")
        return ""
    if security.apparmor_or_nothing:
        raise InvalidParameter(f'apparmor profile "{name}" specified, but Apparmor is not enabled on this system')
    return name


def unconfined_seccomp(security: Security) -> bool:
    return security.seccomp == UNCONFINED or (security.privileged and not security.seccomp)


def _name(text: str) -> str:
    name = text.strip().upper()
    if name != "ALL" and not name.startswith("CAP_"):
        name = f"CAP_{name}"
    if name != "ALL" and not name.removeprefix("CAP_").replace("_", "").isalnum():
        raise InvalidParameter(f"invalid capability: {text!r}")
    return name
