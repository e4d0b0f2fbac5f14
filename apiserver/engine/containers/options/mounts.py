"""What is mounted into a container, and its root file system's own settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from enum import Enum

from msgspec import Struct, field
from msgspec.structs import replace

from apiserver.engine.containers.options.process import LONGEST_NAME, LONGEST_PATH, check_names, too_long
from apiserver.engine.containers.options.tmpfs import kind_of
from apiserver.errors import InvalidParameter

MOUNT_FLAGS = ("nosuid", "suid", "nodev", "dev", "noexec", "exec")
PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_FROM_MODES = frozenset({"ro", "rw", "z", "Z"})


class MountKind(Enum):
    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


class ImageVolumes(Enum):
    """What is made of the volumes that an image asks for."""

    ANONYMOUS = "anonymous"
    TMPFS = "tmpfs"
    IGNORE = "ignore"


class Mount(Struct, frozen=True):
    kind: MountKind
    target: str
    """Absolute path in the container, cleaned: `/data/` is `/data`; each target once after create."""
    source: str = ""
    """bind: absolute path on the host; volume: its name, empty for an anonymous one until create names it."""
    read_only: bool = False
    recursive: bool = True
    """bind: with what is mounted below the source."""
    recursive_read_only: bool = True
    propagation: str = "rprivate"
    flags: tuple[str, ...] = ()
    """bind, volume: of `nosuid`, `nodev`, `noexec` and their opposites; as the source has it where neither is there."""
    create_source: bool = False
    """bind: make a missing source directory (`-v`), instead of refusing (`--mount`)."""
    no_copy: bool = False
    """volume: do not copy what the image has at the target into a new volume."""
    anonymous: bool = False
    """volume: made for this container alone, removed with it (`rm -v`, auto-remove)."""
    from_image: bool = False
    """The image asked for it, not the client."""
    for_read_only: bool = False
    """It keeps a place writable below a read-only root, and nobody asked for it by its path."""
    inherited: bool = False
    """It came along with another container's (`Mounts.volumes_from`)."""
    volume_driver: str = ""
    volume_labels: Mapping[str, str] = field(default_factory=dict)
    volume_options: Mapping[str, str] = field(default_factory=dict)
    tmpfs_size_bytes: int | None = None
    tmpfs_mode: int | None = None
    tmpfs_options: tuple[str, ...] = ()
    """More mount options of a tmpfs, as given (`noexec`, `uid=1`), checked against a list."""
    asked_as: str = ""
    """How the client wrote a `-v` bind (`/src:/dst:ro`); empty where it came as a mount object."""


class Mounts(Struct, frozen=True):
    mounts: tuple[Mount, ...] = ()
    image_volumes: ImageVolumes = ImageVolumes.ANONYMOUS
    image_volume_flags: tuple[str, ...] = ()
    """`Mount.flags` of the volumes that the image asks for."""
    new_volumes_for_user: bool = False
    """A new volume belongs to the first process's user where the image has nothing at its target, instead of root."""
    volumes_from: tuple[str, ...] = ()
    """Containers whose binds and volumes it gets as well, as given: `NAME[:MODE]`."""
    read_only_rootfs: bool = False
    shm_size_bytes: int = 64 << 20


def validated(mounts: Mounts) -> Mounts:
    """With clean targets, each once.

    Raises:
        InvalidParameter: also where two have one target, in Docker's words.
    """
    if mounts.shm_size_bytes < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    clean = [_validated(mount) for mount in mounts.mounts]
    targets: set[str] = set()
    for mount in clean:
        if mount.target in targets:
            raise InvalidParameter(f"Duplicate mount point: {mount.target}")
        targets.add(mount.target)
    return replace(mounts, mounts=tuple(clean), shm_size_bytes=mounts.shm_size_bytes or 64 << 20)


def clean_target(target: str) -> str:
    """An absolute path in the container: `/data/` and `//data` are `/data`.

    Raises:
        InvalidParameter: it is none, or nothing may be mounted there.
    """
    if not target.startswith("/") or any(c in target for c in "\0\n"):
        raise InvalidParameter(f"invalid mount path: '{target}' mount path must be absolute")
    _check_length(target, "mount target")
    clean = posixpath.normpath("/" + target.lstrip("/"))
    if clean == "/":
        raise InvalidParameter("invalid mount target: destination can't be '/'")
    if clean == "/proc" or clean.startswith("/proc/"):
        # The runtime would mount over what it masks there (CVE-2019-16884).
        raise InvalidParameter(f"invalid mount target: nothing can be mounted at {clean}")
    return clean


def _validated(mount: Mount) -> Mount:
    mount = replace(mount, target=clean_target(mount.target))
    if mount.from_image and mount.target == "/dev":
        # Its /dev/null is what the runtime hides secrets in /proc behind.
        raise InvalidParameter(f'invalid mount target: "{mount.target}" is no place for a volume of an image')
    if mount.propagation not in PROPAGATIONS:
        raise InvalidParameter(f"invalid propagation mode: {mount.propagation}")
    if unknown := set(mount.flags).difference(MOUNT_FLAGS):
        raise InvalidParameter(f"invalid mount options: {', '.join(sorted(unknown))}")
    if mount.kind is MountKind.BIND:
        if not mount.source.startswith("/") or any(c in mount.source for c in "\0\n"):
            raise InvalidParameter(
                'invalid mount config for type "bind":'
                f" invalid mount path: '{mount.source}' mount path must be absolute"
            )
        _check_length(mount.source, "mount source")
        return replace(mount, source=posixpath.normpath("/" + mount.source.lstrip("/")))
    if mount.kind is MountKind.VOLUME:
        if len(mount.source) > LONGEST_NAME:
            raise InvalidParameter(f"invalid volume name: it has more than {LONGEST_NAME} bytes")
        if mount.source and not _VOLUME.fullmatch(mount.source):
            raise InvalidParameter(
                f'create {mount.source}: "{mount.source}" includes invalid characters for a local volume name, only'
                ' "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
            )
        return mount
    if mount.source:
        raise InvalidParameter('invalid mount config for type "tmpfs": source must not be specified')
    if mount.tmpfs_size_bytes is not None and mount.tmpfs_size_bytes < 0:
        raise InvalidParameter("invalid TmpfsOptions: the size cannot be negative")
    if mount.tmpfs_mode is not None and not 0 <= mount.tmpfs_mode <= 0o7777:
        raise InvalidParameter(f"invalid TmpfsOptions: {mount.tmpfs_mode:o} is no file mode")
    for option in mount.tmpfs_options:
        kind_of(option)  # raises for one that cannot be
    return mount


def _check_length(path: str, field: str) -> None:
    if too_long(path):
        raise InvalidParameter(f"invalid {field}: it has more than {LONGEST_PATH} bytes")
    check_names(path, field)


def read_volumes_from(text: str) -> tuple[str, bool]:
    """A container's name or id, and whether what is taken from it is read-only here.

    Raises:
        InvalidParameter: in Docker's words.
    """
    name, _, mode = text.partition(":")
    words = mode.split(",") if mode else []
    if not name or len(words) != len(set(words)) or {"ro", "rw"} <= set(words) or not _FROM_MODES.issuperset(words):
        raise InvalidParameter(f"invalid mode: {mode[:100]}" if name else "volumes-from specification cannot be empty")
    return name, "ro" in words


def with_mounts_of_others(mounts: Mounts, others: Sequence[tuple[Mounts, bool]]) -> Mounts:
    """With the binds and volumes of others where the client itself mounts nothing, or no more than an anonymous volume;
    of two at one target the later one's.

    Args:
        others: each with whether what is taken from it is read-only here.
    """
    own = {_same(mount.target) for mount in mounts.mounts if not _is_anonymous(mount)}
    inherited = {
        mount.target: replace(
            mount,
            read_only=mount.read_only or read_only,
            create_source=False,
            no_copy=True,
            from_image=False,
            inherited=True,
            asked_as="",
        )
        for other, read_only in others
        for mount in other.mounts
        if mount.kind is not MountKind.TMPFS and mount.target not in own
    }
    kept = [mount for mount in mounts.mounts if _same(mount.target) not in inherited]
    return replace(mounts, mounts=(*kept, *inherited.values()))


def with_image_volumes(mounts: Mounts, paths: Sequence[str]) -> Mounts:
    """With an anonymous volume, or what the client wants instead, at each of the image's volume paths where the client
    mounts nothing.

    An anonymous volume that the client asked for gives way as well where it mounts something else there.
    """
    named = {_same(mount.target) for mount in mounts.mounts if not _is_anonymous(mount)}
    merged = []
    for mount in (*mounts.mounts, *(_image_volume(path, mounts) for path in paths)):
        if mount is None:
            continue
        if not _is_anonymous(mount) and not mount.from_image:
            merged.append(mount)
        elif (target := _same(mount.target)) not in named:
            named.add(target)
            merged.append(replace(mount, anonymous=_is_anonymous(mount)))
    return replace(mounts, mounts=tuple(merged))


def _image_volume(path: str, mounts: Mounts) -> Mount | None:
    target, wanted = "/" + path.lstrip("/"), mounts.image_volumes
    if wanted is ImageVolumes.IGNORE:
        return None
    if wanted is ImageVolumes.TMPFS:
        return Mount(MountKind.TMPFS, target, from_image=True, tmpfs_options=("exec", "tmpcopyup"))
    return Mount(MountKind.VOLUME, target, from_image=True, flags=mounts.image_volume_flags)


def _is_anonymous(mount: Mount) -> bool:
    return mount.kind is MountKind.VOLUME and not mount.source


def _same(target: str) -> str:
    return posixpath.normpath(target) if target else target
