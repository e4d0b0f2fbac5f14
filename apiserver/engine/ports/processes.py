"""What a back end tells of the processes in a container."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct


class ProcessTable(Struct, frozen=True):
    """What the host's `ps` said of a container's processes; each row has as many cells as there are titles."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Person(Struct, frozen=True):
    """A user, or a group, as the container's own files name it, and as this host's do; a number in decimal without."""

    number: int
    inside: str
    outside: str


class ProcessFacts(Struct, frozen=True):
    """One process.

    Attributes:
        pid: as the container sees it, `parent` and `group` too; 0 for a parent outside of it.
        host_pid: as this host sees it.
        state: the kernel's letter.
        arguments: empty for what has none, such as a zombie.
        cpu_seconds: of user and system time, since its start.
        terminal: such as `pts/0`; None without one.
        seccomp: the kernel's mode: 0 none, 1 strict, 2 filter; None where it does not say.
        label: of AppArmor or SELinux; empty without.
        capabilities: by `inherited`, `permitted`, `effective`, `bounding` and `ambient`, such as `NET_RAW`; None
            for all.
    """

    pid: int
    parent: int
    process_group: int
    host_pid: int
    state: str
    nice: int
    command: str
    arguments: tuple[str, ...]
    started: datetime
    elapsed_seconds: float
    cpu_seconds: float
    terminal: str | None
    virtual_kib: int
    resident_kib: int
    user: Person
    real_user: Person
    group: Person
    real_group: Person
    groups: tuple[Person, ...]
    capabilities: Mapping[str, tuple[str, ...] | None]
    seccomp: int | None = None
    label: str = ""
