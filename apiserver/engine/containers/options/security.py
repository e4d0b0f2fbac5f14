"""What a container's processes may do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from apiserver.engine.containers.options.process import check_user, too_long
from apiserver.engine.containers.options.seccomp_profile import check_profile
from apiserver.errors import InvalidParameter

_NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE"
    " NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT"
    " SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL"
    " SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES = frozenset(f"CAP_{name}" for name in _NAMES.split())
ALL = "ALL"
UNCONFINED = "unconfined"
_PROFILE = re.compile(r"[a-zA-Z0-9_./:+-]{1,255}")


class Security(Struct, frozen=True):
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    """As the client spelled them, which compares what it asked for with what is shown; each once. `ALL` is one."""
    cap_drop: tuple[str, ...] = ()
    users_hold_added: bool = False
    """A first process that is not root's holds what `cap_add` names, and so does all that it runs; else it has none."""
    no_new_privileges: bool = False
    seccomp: str = ""
    """Empty: the default profile; `unconfined`; else a profile's JSON text (Docker's form)."""
    seccomp_path: str = ""
    """The file on the back end's machine that the profile is read from, once, at create; empty: none."""
    apparmor: str = ""
    """Empty: the default profile where one is loaded; `unconfined`; else a profile's name."""
    apparmor_or_nothing: bool = False
    """Where AppArmor is not enabled, refuse a profile that is named, instead of running without, with a warning."""
    label_disabled: bool = False
    """`label=disable`: accepted where SELinux is off, and shown again."""
    masked_paths: tuple[str, ...] | None = None
    """None: the default list; an empty tuple: none (`systempaths=unconfined`)."""
    read_only_paths: tuple[str, ...] | None = None
    mask: tuple[str, ...] = ()
    """Paths to hide beside the default ones, also from a privileged container."""
    unmask: tuple[str, ...] = ()
    """Patterns (`/proc/*`) of default paths that are neither hidden nor read-only; `ALL` is every one."""
    supplementary_groups: tuple[str, ...] = ()
    """Names or numbers, resolved in the container's own group file at start."""


def validated(security: Security) -> Security:
    """With each capability once.

    Raises:
        InvalidParameter
    """
    for group in security.supplementary_groups:
        check_user(group, "GroupAdd")
        if not group or ":" in group:
            raise InvalidParameter(f"invalid GroupAdd: {group!r}")
    if security.seccomp and security.seccomp != UNCONFINED:
        check_profile(security.seccomp)
    if security.apparmor and not _PROFILE.fullmatch(security.apparmor):
        raise InvalidParameter(f"invalid apparmor profile in SecurityOpt: {security.apparmor!r}")
    for field, paths in (
        ("MaskedPaths", security.masked_paths),
        ("ReadonlyPaths", security.read_only_paths),
        ("mask", security.mask),
    ):
        for path in paths or ():
            if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
                raise InvalidParameter(f"invalid {field}: {path!r} is no absolute path")
            if too_long(path):
                raise InvalidParameter(f"invalid {field}: a path is longer than any can be")
    return replace(
        security,
        cap_add=capabilities("CapAdd", security.cap_add),
        cap_drop=capabilities("CapDrop", security.cap_drop),
    )


def capabilities(field: str, names: Sequence[str]) -> tuple[str, ...]:
    """`net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` are one; each once, in the order and spelling given first.

    Raises:
        InvalidParameter: in Docker's words.
    """
    known: dict[str, str] = {}
    for name in names:
        full = full_name(name)
        if full != ALL and full not in CAPABILITIES:
            raise InvalidParameter(f"invalid {field}: unknown capability: {name!r}")
        known.setdefault(full, name)
    return tuple(known.values())


def full_name(capability: str) -> str:
    """`CAP_NET_ADMIN` for `net_admin`; `ALL` stays."""
    full = capability.strip().upper()
    return full if full == ALL or full.startswith("CAP_") else f"CAP_{full}"
