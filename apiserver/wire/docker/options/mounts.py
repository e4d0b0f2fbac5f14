"""Binds, mount objects, tmpfs and anonymous volumes; the root file system's own settings."""

from __future__ import annotations

from apiserver.engine.containers.options import Mounts
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.errors import InvalidParameter
from apiserver.wire.docker.options.binds import read_bind
from apiserver.wire.docker.options.body import CreateBody, HostConfig
from apiserver.wire.docker.options.mount_objects import read_mount
from apiserver.wire.docker.options.targets import clean_target

DEFAULT_SHM_SIZE = 64 << 20


def read_mounts(body: CreateBody, host: HostConfig) -> Mounts:
    """All mounts of a request, each target once.

    A target in `Volumes` that is also in `Binds`, `Mounts` or `Tmpfs` is the same mount (compose sends both).

    Raises:
        InvalidParameter: two mounts claim one target, in Docker's words.
    """
    if host.shm_size < 0:
        raise InvalidParameter("HostConfig.ShmSize: SHM size can not be less than 0")
    mounts: dict[str, Mount] = {}
    for mount in (
        *(read_bind(spec) for spec in host.binds or ()),
        *(read_mount(mount) for mount in host.mounts or ()),
        *(_read_tmpfs(target, options) for target, options in (host.tmpfs or {}).items()),
    ):
        if mount.target in mounts:
            raise InvalidParameter(f"Duplicate mount point: {mount.target}")
        mounts[mount.target] = mount
    for spec in body.volumes or ():
        if ":" in spec:
            raise InvalidParameter(f"Volumes: {spec!r} is a bind; it belongs into HostConfig.Binds")
        target = clean_target("volume", spec, "Volumes: ")
        mounts.setdefault(target, Mount(MountKind.VOLUME, target, anonymous=True))
    return Mounts(
        mounts=tuple(mounts.values()),
        volumes_from=tuple(host.volumes_from or ()),
        read_only_rootfs=host.readonly_rootfs,
        shm_size_bytes=host.shm_size or DEFAULT_SHM_SIZE,
    )


def _read_tmpfs(path: str, options: str) -> Mount:
    target = clean_target("tmpfs", path, "HostConfig.Tmpfs: ")
    return Mount(
        MountKind.TMPFS,
        target,
        tmpfs_options=tuple(option for option in options.split(",") if option),
        asked_as=f"{path}:{options}",
    )
