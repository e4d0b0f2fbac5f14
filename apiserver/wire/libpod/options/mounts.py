"""Mounts as the OCI has them, named volumes, and the root file system's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from apiserver.engine.containers.options import Mounts
from apiserver.engine.containers.options.mounts import PROPAGATIONS, Mount, MountKind
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.libpod.options.body import CreateBody, MountBody, NamedVolume

DEFAULT_SHM_SIZE = 64 << 20
WRITABLE = ("/run", "/tmp", "/var/tmp")  # noqa: S108  # paths in the container
"""What stays writable on a read-only root file system (podman: --read-only-tmpfs)."""
_NOTHING = ("bind", "rbind", "z", "Z", "copy")
"""Options that say what is so anyway; the labels are SELinux's."""


def read_mounts(body: CreateBody) -> Mounts:
    """Raises: InvalidParameter, NotImplementedYet."""
    if body.image_volume_mode not in ("", "anonymous", "bind"):
        raise NotImplementedYet(f"the option image_volume_mode={body.image_volume_mode} (--image-volume)")
    mounts = [_mount(each, body) for each in body.mounts or ()]
    mounts += [_volume(each) for each in body.volumes or () if each is not None]
    if body.read_only_filesystem and body.read_write_tmpfs:
        taken = {mount.target for mount in mounts}
        mounts += [Mount(MountKind.TMPFS, path) for path in WRITABLE if path not in taken]
    return Mounts(
        mounts=tuple(mounts),
        read_only_rootfs=body.read_only_filesystem,
        shm_size_bytes=body.shm_size or DEFAULT_SHM_SIZE,
    )


def _mount(body: MountBody, spec: CreateBody) -> Mount:
    options = body.options or ()
    if body.uid_mappings or body.gid_mappings:
        raise NotImplementedYet("the option mounts.uidMappings")
    if body.type == "tmpfs":
        return Mount(MountKind.TMPFS, body.destination, tmpfs_options=tuple(_tmpfs(body.destination, options, spec)))
    if body.type not in ("", "bind"):
        raise NotImplementedYet(f"the option mounts of type {body.type[:100]}")
    read_only, propagation, _ = _read_options("mounts", options)
    return Mount(
        MountKind.BIND, body.destination, source=body.source, read_only=read_only, propagation=propagation or "rprivate"
    )


def _volume(body: NamedVolume) -> Mount:
    if body.sub_path:
        raise NotImplementedYet("the option volumes.SubPath")
    read_only, propagation, no_copy = _read_options("volumes", body.options or ())
    if propagation:
        raise NotImplementedYet(f"the option volumes.Options {propagation}")
    return Mount(
        MountKind.VOLUME,
        body.dest,
        source=body.name,
        read_only=read_only,
        no_copy=no_copy,
        anonymous=body.is_anonymous or not body.name,
    )


def _read_options(field: str, options: Sequence[str]) -> tuple[bool, str, bool]:
    """Read-only, propagation, no copy."""
    read_only, propagation, no_copy = False, "", False
    for option in options:
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in PROPAGATIONS:
            propagation = option
        elif option == "nocopy":
            no_copy = True
        elif option not in _NOTHING:
            raise NotImplementedYet(f"the option {field}.options {option[:100]}")
    return read_only, propagation, no_copy


def _tmpfs(target: str, options: Sequence[str], spec: CreateBody) -> Iterator[str]:
    for option in options:
        if option == "tmpcopyup":
            if not (spec.read_only_filesystem and target in WRITABLE):
                raise NotImplementedYet("the option mounts.options tmpcopyup (--tmpfs)")
        elif option == "":
            raise InvalidParameter("mounts.options: an empty option")
        elif option != "notmpcopyup" and option not in PROPAGATIONS:
            yield option
