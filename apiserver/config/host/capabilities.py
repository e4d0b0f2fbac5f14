"""Capabilities by name, and those that this process may pass on."""

from __future__ import annotations

from pathlib import Path

# In the order of their numbers (linux/capability.h).
NAMES = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
]

ALL = tuple(f"CAP_{name}" for name in NAMES)


def from_mask(mask: int) -> tuple[str, ...]:
    """The names of the bits set, in the order of their numbers; bits without a name are left out."""
    return tuple(name for number, name in enumerate(ALL) if mask >> number & 1)


def normalized(name: str) -> str | None:
    """`CAP_NET_ADMIN` for `net_admin`, `NET_ADMIN`, `cap_net_admin`; None for what is no capability."""
    full = name.upper()
    full = full if full.startswith("CAP_") else f"CAP_{full}"
    return full if full in ALL else None


def bounding_set(status: Path = Path("/proc/self/status")) -> tuple[str, ...]:
    """What this process and its children can ever have: a container gets no more."""
    for line in status.read_text().splitlines():
        if line.startswith("CapBnd:"):
            return from_mask(int(line.split()[1], 16))
    return ()
