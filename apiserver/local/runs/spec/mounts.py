"""What is mounted into the container: the kernel's file systems, our files, and what the client asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from apiserver.engine.containers.options.mounts import Mount, MountKind, Mounts
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonValue
from apiserver.local.runs.spec.process import cleaned
from apiserver.local.runs.spec.tmpfs import tmpfs_options

_SHM = "/dev/shm"  # noqa: S108  # the container's own, or the host's where it shares its IPC
PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})


class Placed(Struct, frozen=True):
    """One OCI mount, its target cleaned.

    Attributes:
        ours: one of the kernel's file systems or of our own files: it gives way to the client's at the same target.
    """

    target: str
    type: str
    source: str
    options: tuple[str, ...]
    ours: bool = False

    @property
    def is_bind(self) -> bool:
        return self.type == "bind"

    @property
    def read_only(self) -> bool:
        return "ro" in self.options

    def to_json(self) -> dict[str, JsonValue]:
        return {"destination": self.target, "type": self.type, "source": self.source, "options": list(self.options)}


def kernel_mounts(mounts: Mounts, *, privileged: bool, ipc: Namespace | None) -> list[Placed]:
    """/proc, /dev and /sys, as Docker mounts them."""
    write = "rw" if privileged else "ro"
    if ipc is Namespace.HOST:
        shm = [Placed(_SHM, "bind", _SHM, ("rbind", "rprivate", "nosuid", "noexec", "nodev"), ours=True)]
    elif ipc is Namespace.NONE:
        shm = []
    else:
        options = ("nosuid", "noexec", "nodev", "mode=1777", f"size={mounts.shm_size_bytes}")
        shm = [Placed(_SHM, "tmpfs", "shm", options, ours=True)]
    pts = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
    return [
        Placed("/proc", "proc", "proc", ("nosuid", "noexec", "nodev"), ours=True),
        Placed("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k"), ours=True),
        Placed("/dev/pts", "devpts", "devpts", pts, ours=True),
        Placed("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev"), ours=True),
        *shm,
        Placed("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", write), ours=True),
        Placed("/sys/fs/cgroup", "cgroup", "cgroup", ("nosuid", "noexec", "nodev", "relatime", write), ours=True),
    ]


def file_mounts(files: Mapping[str, Path], *, read_only: bool) -> list[Placed]:
    """Our own files: target -> file. Inside they can be written where the root can, as with Docker and Podman."""
    options = ("bind", "rprivate", *(("ro",) if read_only else ()), "nosuid", "nodev", "noexec")
    return [Placed(target, "bind", str(source), options, ours=True) for target, source in files.items()]


def asked_mounts(mounts: Mounts, volumes: Mapping[str, str], *, recursive_read_only: bool) -> list[Placed]:
    """What the client asked for, parents first.

    Args:
        volumes: name -> directory of its files.
        recursive_read_only: the runtime knows `rro`.

    Raises:
        InvalidParameter: a target that cannot be mounted on; unknown options; a volume that is not there.
    """
    placed = [_place(mount, volumes, recursive_read_only=recursive_read_only) for mount in mounts.mounts]
    seen: set[str] = set()
    for mount in placed:
        if mount.target in seen:
            raise InvalidParameter(f"Duplicate mount point: {mount.target}")
        seen.add(mount.target)
    return sorted(placed, key=lambda mount: mount.target.count("/"))


def merged(ours: Sequence[Placed], asked: Sequence[Placed]) -> list[Placed]:
    """All mounts in order: ours but where the client has one at the same target, then the client's.

    Our files follow a client's mount that would hide them, such as one on /etc or /run.
    """
    targets = {mount.target for mount in asked}
    kept = [mount for mount in ours if mount.target not in targets]
    system = [mount for mount in kept if not mount.is_bind or mount.target.startswith("/dev/")]
    files = [mount for mount in kept if mount not in system]
    return [*system, *sorted([*asked, *files], key=lambda mount: mount.target.count("/"))]


def rootfs_propagation(asked: Sequence[Placed]) -> str:
    """`linux.rootfsPropagation`: what the mounts need of the tree that they are in."""
    wanted = {option for mount in asked for option in mount.options}
    if wanted & {"shared", "rshared"}:
        return "shared"
    if wanted & {"slave", "rslave"}:
        return "rslave"
    return "rprivate"


def checked_target(text: str) -> str:
    """A mount's target, cleaned.

    Raises:
        InvalidParameter
    """
    if not text.startswith("/") or any(ord(letter) < 32 for letter in text):
        raise InvalidParameter(f"invalid mount target, must be an absolute path in the container: {text!r}")
    target = cleaned(text)
    if target == "/":
        raise InvalidParameter("invalid specification: destination can't be '/'")
    refuse_proc(target, text)
    return target


def refuse_proc(resolved: str, asked: str) -> None:
    """Nothing is mounted over /proc: the runtime trusts what it reads there (CVE-2019-16884, CVE-2019-19921).

    Raises:
        InvalidParameter
    """
    if resolved == "/proc" or resolved.startswith("/proc/"):
        raise InvalidParameter(f'invalid mount target: "{asked}" cannot be mounted because it is inside /proc')


def _place(mount: Mount, volumes: Mapping[str, str], *, recursive_read_only: bool) -> Placed:
    target = checked_target(mount.target)
    if mount.kind is MountKind.TMPFS:
        return Placed(target, "tmpfs", "tmpfs", tmpfs_options(mount))
    if mount.kind is MountKind.VOLUME:
        source = volumes.get(mount.source, "")
        if not source:
            raise InvalidParameter(f"volume {mount.source!r} of {target} does not exist")
        return Placed(target, "bind", source, ("rbind", "rprivate", *mount.flags, "ro" if mount.read_only else "rw"))
    if not mount.source.startswith("/") or "\0" in mount.source:
        raise InvalidParameter(
            f"invalid mount config for type \"bind\": invalid mount path: '{mount.source}' mount path must be absolute"
        )
    propagation = mount.propagation or "rprivate"
    if propagation not in PROPAGATIONS:
        raise InvalidParameter(f"invalid propagation mode: {propagation!r}")
    options = ["rbind" if mount.recursive else "bind", propagation, *mount.flags, "ro" if mount.read_only else "rw"]
    if mount.read_only and mount.recursive and mount.recursive_read_only and recursive_read_only:
        options.append("rro")
    return Placed(target, "bind", mount.source, tuple(options))
