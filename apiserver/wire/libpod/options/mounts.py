"""Mounts as the OCI has them, named volumes, and the root file system's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from apiserver.engine.containers.options import Mounts
from apiserver.engine.containers.options.mounts import MOUNT_FLAGS, PROPAGATIONS, ImageVolumes, Mount, MountKind
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.libpod.options.body import CreateBody, MountBody, NamedVolume

DEFAULT_SHM_SIZE = 64 << 20
WRITABLE = ("/run", "/tmp", "/var/tmp")  # noqa: S108  # paths in the container
"""What stays writable on a read-only root file system (podman: --read-only-tmpfs)."""
_NOTHING = ("z", "Z", "copy")
"""Options that say what is so anyway; the labels are SELinux's."""
_VOLUME_FLAGS = ("nosuid", "nodev")
"""What Podman mounts a volume with where the client says nothing else."""
_IMAGE_VOLUME_FLAGS = ("nodev", "exec", "nosuid")
_IMAGE_VOLUMES = {
    "": ImageVolumes.ANONYMOUS,
    "anonymous": ImageVolumes.ANONYMOUS,
    "bind": ImageVolumes.ANONYMOUS,  # its older name
    "tmpfs": ImageVolumes.TMPFS,
    "ignore": ImageVolumes.IGNORE,
}


class _Options(Struct, frozen=True):
    read_only: bool
    propagation: str
    no_copy: bool
    recursive: bool
    flags: tuple[str, ...]


def read_mounts(body: CreateBody) -> Mounts:
    """Raises: InvalidParameter, NotImplementedYet."""
    if body.image_volume_mode not in _IMAGE_VOLUMES:
        raise InvalidParameter(f"image_volume_mode: {body.image_volume_mode[:100]!r} is none (--image-volume)")
    mounts = [_mount(each) for each in body.mounts or ()]
    mounts += [_volume(each) for each in body.volumes or () if each is not None]
    if body.read_only_filesystem and body.read_write_tmpfs:
        taken = {mount.target for mount in mounts}
        mounts += [replace(_tmpfs(path, ()), for_read_only=True) for path in WRITABLE if path not in taken]
    return Mounts(
        mounts=tuple(mounts),
        image_volumes=_IMAGE_VOLUMES[body.image_volume_mode],
        image_volume_flags=_IMAGE_VOLUME_FLAGS,
        new_volumes_for_user=True,
        volumes_from=tuple(body.volumes_from or ()),
        read_only_rootfs=body.read_only_filesystem,
        shm_size_bytes=body.shm_size or DEFAULT_SHM_SIZE,
    )


def _mount(body: MountBody) -> Mount:
    options = body.options or ()
    if body.uid_mappings or body.gid_mappings:
        raise NotImplementedYet("the option mounts.uidMappings")
    if body.type == "tmpfs":
        return _tmpfs(body.destination, options)
    if body.type not in ("", "bind"):
        raise NotImplementedYet(f"the option mounts of type {body.type[:100]}")
    read = _read_options("mounts", options)
    if read.no_copy:
        raise InvalidParameter("mounts.options: nocopy is for volumes")
    return Mount(
        MountKind.BIND,
        body.destination,
        source=body.source,
        read_only=read.read_only,
        recursive=read.recursive,
        propagation=read.propagation or "rprivate",
        flags=read.flags,
    )


def _volume(body: NamedVolume) -> Mount:
    if body.sub_path:
        raise NotImplementedYet("the option volumes.SubPath")
    read = _read_options("volumes", body.options or ())
    if read.propagation not in ("", "private", "rprivate"):
        raise NotImplementedYet(f"the option volumes.Options {read.propagation}")
    return Mount(
        MountKind.VOLUME,
        body.dest,
        source=body.name,
        read_only=read.read_only,
        no_copy=read.no_copy,
        anonymous=body.is_anonymous or not body.name,
        flags=(*read.flags, *(flag for flag in _VOLUME_FLAGS if not {flag, flag[2:]} & set(read.flags))),
    )


def _read_options(field: str, options: Sequence[str]) -> _Options:
    read_only, propagation, no_copy, recursive = False, "", False, True
    flags: list[str] = []
    for option in options:
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in PROPAGATIONS:
            propagation = option
        elif option == "nocopy":
            no_copy = True
        elif option in ("bind", "rbind"):
            recursive = option == "rbind"
        elif option in MOUNT_FLAGS:
            flags.append(option)
        elif option not in _NOTHING:
            raise NotImplementedYet(f"the option {field}.options {option[:100]}")
    return _Options(read_only, propagation, no_copy, recursive, tuple(flags))


def _tmpfs(target: str, options: Sequence[str]) -> Mount:
    return Mount(MountKind.TMPFS, target, tmpfs_options=tuple(_tmpfs_options(options)))


def _tmpfs_options(options: Sequence[str]) -> Iterator[str]:
    """Podman's defaults are to let programs in it run, and to begin with what the image has there."""
    if "noexec" not in options:
        yield "exec"
    if "notmpcopyup" not in options:
        yield "tmpcopyup"
    for option in options:
        if option == "":
            raise InvalidParameter("mounts.options: an empty option")
        if option in ("shared", "rshared", "slave", "rslave"):
            raise NotImplementedYet(f"the option mounts.options {option} of a tmpfs")
        if option not in ("tmpcopyup", "notmpcopyup", "exec", "private", "rprivate"):
            yield option
