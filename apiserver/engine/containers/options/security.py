"""What a container's processes may do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Security:
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    """`CAP_NET_ADMIN` after validation; `ALL` is one of them."""
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    seccomp: str = ""
    """Empty: the default profile; `unconfined`; else a profile's JSON text (Docker's form)."""
    apparmor: str = ""
    """Empty: the default profile where one is loaded; `unconfined`; else a profile's name."""
    label_disabled: bool = False
    """`label=disable`: accepted where SELinux is off, and shown again."""
    masked_paths: tuple[str, ...] | None = None
    """None: the default list; an empty tuple: none (`systempaths=unconfined`)."""
    read_only_paths: tuple[str, ...] | None = None
    supplementary_groups: tuple[str, ...] = ()
    """Names or numbers, resolved in the container's own group file at start."""
