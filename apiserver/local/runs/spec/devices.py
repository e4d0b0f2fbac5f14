"""Device nodes of the container, and which it may use."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from apiserver.engine.containers.options.devices import DeviceRule
from apiserver.jsonvalue import JsonValue
from apiserver.local.runs.spec.host_devices import DeviceNode

_NUMBERS = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2))
"""null, zero, full, random, urandom, tty, console, ptmx."""

_NOT_COPIED = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"})
"""moby, opencontainers/runc libcontainer/devices: what belongs to each container itself."""


def rules(
    nodes: Sequence[DeviceNode] = (), asked: Sequence[DeviceRule] = (), *, privileged: bool
) -> list[dict[str, JsonValue]]:
    """`linux.resources.devices`: the harmless ones and what was asked for; any node may be made, not opened."""
    if privileged:
        return [{"allow": True, "access": "rwm"}]
    allowed: list[dict[str, JsonValue]] = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "access": "m"},
        {"allow": True, "type": "b", "access": "m"},
    ]
    for major, minor in _NUMBERS:
        allowed.append({"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"})
    allowed.append({"allow": True, "type": "c", "major": 136, "access": "rwm"})  # pseudo terminals
    return [*allowed, *(node.rule() for node in nodes), *map(_rule, asked)]


def nodes(asked: Sequence[DeviceNode], *, privileged: bool) -> list[dict[str, JsonValue]]:
    """`linux.devices`: those asked for, and every one of the host's for a privileged container."""
    found = {str(node["path"]): node for node in (host_devices() if privileged else ())}
    return [*(found | {each.path: each.node() for each in asked}).values()]


def _rule(rule: DeviceRule) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"allow": True, "type": rule.kind, "access": rule.access}
    if rule.major is not None:
        found["major"] = rule.major
    if rule.minor is not None:
        found["minor"] = rule.minor
    return found


def host_devices(root: Path = Path("/dev")) -> list[dict[str, JsonValue]]:
    """`linux.devices` of a privileged container: every device node of the host."""
    return list(_nodes(root))


def _nodes(directory: Path) -> Iterator[dict[str, JsonValue]]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name in _NOT_COPIED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _nodes(Path(entry.path))
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # unplugged meanwhile
        kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
        if kind:
            yield {
                "path": entry.path,
                "type": kind,
                "major": os.major(status.st_rdev),
                "minor": os.minor(status.st_rdev),
                "fileMode": stat.S_IMODE(status.st_mode),
                "uid": status.st_uid,
                "gid": status.st_gid,
            }
