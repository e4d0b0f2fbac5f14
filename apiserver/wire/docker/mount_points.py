"""`Mounts` of a container: what is mounted where, as an inspection and a listing show it."""

from __future__ import annotations

from collections.abc import Mapping

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.binds import bind_mode


def mount_points(container: Container, mountpoints: Mapping[str, str]) -> list[JsonObject]:
    """By destination. A tmpfs of `HostConfig.Tmpfs` is not among them, one of `HostConfig.Mounts` is.

    Args:
        mountpoints: where the files of a volume are, by its name.
    """
    mounts = container.options.mounts.mounts
    shown = [mount for mount in mounts if mount.kind is not MountKind.TMPFS or not mount.asked_as]
    return [_mount_point(mount, mountpoints) for mount in sorted(shown, key=lambda mount: mount.target)]


def _mount_point(mount: Mount, mountpoints: Mapping[str, str]) -> JsonObject:
    point: JsonObject = {"Type": mount.kind.value}
    if mount.kind is MountKind.VOLUME:
        point |= {"Name": mount.source, "Source": mountpoints.get(mount.source, "")}
    else:
        point["Source"] = mount.source
    point["Destination"] = mount.target
    if mount.kind is MountKind.VOLUME:
        point["Driver"] = mount.volume_driver or "local"
    mode = bind_mode(mount)
    if not mode and mount.kind is MountKind.VOLUME and not (mount.anonymous or mount.inherited):
        mode = "z"  # what Docker shows for a volume with a name, by `-v` or by `--mount`
    return point | {
        "Mode": mode,
        "RW": not mount.read_only,
        "Propagation": mount.propagation if mount.kind is MountKind.BIND else "",
    }
