"""The host's device nodes that a client asks for, looked up when a run begins, for podman at the create as well."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from apiserver.engine.containers.options.devices import Device
from apiserver.errors import Declined, HostError
from apiserver.jsonvalue import JsonValue

_MOST = 4096
"""Entries that are looked at in a directory of devices: somebody may name `/`."""


class DeviceUnusable(Declined, HostError):
    """What a client names is no device node, nor a directory with one."""

    libpod = "{subject}"

    def __init__(self, device: Device, why: str, to_podman: str) -> None:
        super().__init__(
            to_podman, f'error gathering device information while adding custom device "{device.on_host}": {why}'
        )
        self.cause = why


class DeviceNode(Struct, frozen=True):
    """A node as it will be in the container.

    Attributes:
        kind: `c` or `b`.
        access: of read, write and mknod.
    """

    path: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    access: str = "rwm"

    def node(self) -> dict[str, JsonValue]:
        """One of `linux.devices`."""
        return {
            "path": self.path,
            "type": self.kind,
            "major": self.major,
            "minor": self.minor,
            "fileMode": self.mode,
            "uid": self.uid,
            "gid": self.gid,
        }

    def rule(self) -> dict[str, JsonValue]:
        """One of `linux.resources.devices`."""
        return {"allow": True, "type": self.kind, "major": self.major, "minor": self.minor, "access": self.access}


def find(asked: Sequence[Device]) -> tuple[DeviceNode, ...]:
    """The nodes of all devices asked for, each path once: what is asked for later counts. Looks at the file system.

    Raises:
        DeviceUnusable
    """
    found: dict[str, DeviceNode] = {}
    for device in asked:
        for node in _nodes(device):
            found[node.path] = node
    return tuple(found.values())


def _nodes(device: Device) -> Iterator[DeviceNode]:
    try:
        real = Path(device.on_host).resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        why = _words(error)
        raise DeviceUnusable(device, why, f"stat {device.on_host}: {why}") from error
    single = _node(status, device.in_container, device.access)
    if single is not None:
        yield single
        return
    if not stat.S_ISDIR(status.st_mode):
        raise _not_one(device, f"{device.on_host} is not a valid device")
    nothing = True
    for path, entry in _below(real, device):
        node = _node(entry, f"{device.in_container}/{path.relative_to(real)}", device.access)
        if node is not None:
            nothing = False
            yield node
    if nothing:
        raise _not_one(device, f"no devices found in {device.on_host}")


def _below(directory: Path, device: Device) -> Iterator[tuple[Path, os.stat_result]]:
    looked_at = 0
    for parent, directories, files in os.walk(directory):  # which follows no links
        directories.sort()
        for name in sorted(files):
            looked_at += 1
            if looked_at > _MOST:
                many = f"it holds more than {_MOST} files"
                raise DeviceUnusable(device, many, f"{device.on_host}: {many}")
            path = Path(parent, name)
            try:
                yield path, path.lstat()
            except FileNotFoundError:
                continue  # unplugged meanwhile


def _node(status: os.stat_result, path: str, access: str) -> DeviceNode | None:
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        return None
    return DeviceNode(
        path=path,
        kind=kind,
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        access=access,
    )


def _not_one(device: Device, to_podman: str) -> DeviceUnusable:
    why = "not a device node"
    return DeviceUnusable(device, why, f"{to_podman}: {why}")


def _words(error: OSError | RuntimeError) -> str:
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else "too many levels of links"
