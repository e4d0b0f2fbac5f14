"""Where everything of ours lies on this machine: nobody else builds these paths.

ROOT outlives a reboot, RUNROOT does not. Both, and each directory directly in them, are 0700. The layout is an
interface between versions of the service: the exit program and a newer daemon find what an older one has left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from msgspec import Struct

from apiserver.errors import HostError, InvalidParameter

_IN_ROOT = ("containers", "copies", "libexec", "storage", "tmp", "volumes")
_IN_RUNROOT = ("bridges", "image-tools", "netavark", "netns", "runs", "runtime", "storage", "unsettled")
_ALSO_IN_NEW_ROOT = frozenset({"lock", "libexec"})
"""What a first start makes before the state, and may have ended after."""
_PID_BYTES = 16
_FOUND = "lost+found"
"""An empty file system has it."""

_ID = re.compile(r"[0-9a-f]{64}")
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class NotOurs(HostError):
    cause = "not a directory of this service"


class Paths(Struct, frozen=True):
    root: Path
    runroot: Path

    @property
    def storage(self) -> Path:
        return self.root / "storage"

    @property
    def storage_conf(self) -> Path:
        """Says to the programs that we drive where the image store is."""
        return self.runroot / "image-tools" / "storage.conf"

    @property
    def spool(self) -> Path:
        """What has to be a file for a while; emptied at each start."""
        return self.root / "tmp"

    @property
    def copies(self) -> Path:
        """An empty file for each copy into the image store that is under way."""
        return self.root / "copies"

    @property
    def pulled(self) -> Path:
        """By which digests registries know images."""
        return self.root / "pulled.json"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def containers(self) -> Path:
        return self.root / "containers"

    @property
    def runs(self) -> Path:
        return self.runroot / "runs"

    @property
    def namespaces(self) -> Path:
        return self.runroot / "netns"

    @property
    def bridges(self) -> Path:
        """A file for each bridge that has a member of ours."""
        return self.runroot / "bridges"

    @property
    def exit_program(self) -> Path:
        return self.root / "libexec" / "exited"

    @property
    def guard_program(self) -> Path:
        return self.root / "libexec" / "guard"

    @property
    def guard(self) -> Path:
        """The fifo at which the guard listens, while there is one."""
        return self.runroot / "guard"

    @property
    def unsettled(self) -> Path:
        """An empty file for each container that something is being made or taken away for, and one for idle bridges."""
        return self.runroot / "unsettled"

    def runtime_root(self, runtime: Path) -> Path:
        """The runtime's `--root`: what creates a container with it must also end it with it.

        It ends in the runtime's name, as crun wants it for restoring checkpoints.
        """
        return self.runroot / "runtime" / runtime.name

    def volume(self, name: str) -> Path:
        """A volume's own directory; its files are in `_data` below.

        Raises:
            InvalidParameter: the name is no single path component of the allowed letters.
        """
        if not _VOLUME.fullmatch(name):
            raise InvalidParameter(f"invalid volume name: {name!r}")
        return self.volumes / name

    def container(self, container_id: str) -> ContainerPaths:
        return ContainerPaths(self.containers / _checked(container_id))

    def run(self, container_id: str, number: int) -> RunPaths:
        return RunPaths(self.runs / _checked(container_id) / str(int(number)), container_id)

    def prepare(self) -> None:
        """Make the directories that everything else is put into, and close them to all but root.

        Raises:
            NotOurs: others have files in one of them; nothing has been changed then.
        """
        if not (self.root / "state.sqlite").exists() and not self.exit_program.exists():
            _refuse_others("--root", self.root, _IN_ROOT, lambda entry: entry.name in _ALSO_IN_NEW_ROOT)
        if not self.runs.is_dir() or not (self.runroot / "runtime").is_dir():
            _refuse_others("--runroot", self.runroot, _IN_RUNROOT, _is_there_before_us)
        for directory in (self.root, self.runroot):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
        for directory in (self.containers, self.volumes, self.runs, self.runroot / "runtime"):
            directory.mkdir(mode=0o700, exist_ok=True)
        for base, names in ((self.root, _IN_ROOT), (self.runroot, _IN_RUNROOT)):
            for entry in (base / name for name in names):
                if entry.is_dir() and not entry.is_symlink():
                    entry.chmod(0o700)  # somebody may have made it before us, or opened it since


def _refuse_others(option: str, place: Path, names: Collection[str], also: Callable[[Path], bool]) -> None:
    """A place of ours is closed to all but root, so one where nothing tells that it is ours must be as good as empty.

    Args:
        names: directories that may be there, if nothing is in them: another disk is mounted there, perhaps.
        also: what else may be there.
    """
    for entry in place.iterdir() if place.exists() else ():
        if not also(entry) and not (entry.name in names and _is_empty(entry)) and entry.name != _FOUND:
            raise NotOurs(
                f"{option} {place} has files of others in it ({entry.name!r}), and would be closed to all but root: "
                "name an empty directory, or one that is not there"
            )


def _is_there_before_us(entry: Path) -> bool:
    """A socket that systemd made for us, or the file in which twistd has noted our process id."""
    if entry.is_socket():
        return True
    if not entry.is_file() or entry.stat().st_size > _PID_BYTES:
        return False
    return entry.read_text(errors="replace").strip() == str(os.getpid())


def _is_empty(directory: Path) -> bool:
    return directory.is_dir() and all(entry.name == _FOUND for entry in directory.iterdir())


class ContainerPaths(Struct, frozen=True):
    """What outlives a container's runs."""

    directory: Path

    @property
    def upper(self) -> Path:
        """The writable layer."""
        return self.directory / "upper"

    @property
    def work(self) -> Path:
        return self.directory / "work"

    @property
    def merged(self) -> Path:
        """The root file system, while a run has it mounted."""
        return self.directory / "merged"

    @property
    def log(self) -> Path:
        return self.directory / "log" / "ctr.log"

    @property
    def files(self) -> Path:
        """`hosts`, `hostname`, `resolv.conf` and `.containerenv`, mounted into the container one by one."""
        return self.directory / "files"

    def make(self) -> None:
        """All but `upper`, which comes last: once it is there, so is all else."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.merged.mkdir(mode=0o755, exist_ok=True)
        for directory in (self.work, self.files, self.log.parent):
            directory.mkdir(mode=0o700, exist_ok=True)


class MonitoredPaths(Struct, frozen=True):
    """A directory that conmon works in: of a run, or of an exec session in it."""

    directory: Path
    container_id: str

    @property
    def pid_file(self) -> Path:
        return self.directory / "pidfile"

    @property
    def conmon_pid_file(self) -> Path:
        return self.directory / "conmon.pid"

    @property
    def attach_socket(self) -> Path:
        return self.directory / "attach"

    @property
    def control(self) -> Path:
        return self.directory / "ctl"

    @property
    def exit_dir(self) -> Path:
        return self.directory / "exit"

    @property
    def exit_file(self) -> Path:
        """The exit code as text; its time of change is when the process ended."""
        return self.exit_dir / self.container_id

    @property
    def persist_dir(self) -> Path:
        return self.directory / "persist"

    @property
    def oom_file(self) -> Path:
        """There when the kernel killed it for its memory."""
        return self.persist_dir / "oom"

    @property
    def identity(self) -> Path:
        """Pid and start time of the first process, as we saw them after it was created."""
        return self.directory / "identity"

    def make(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True)
        self.exit_dir.mkdir(mode=0o700)
        self.persist_dir.mkdir(mode=0o700)


class RunPaths(MonitoredPaths, Struct, frozen=True):
    @property
    def config(self) -> Path:
        return self.directory / "config.json"

    @property
    def started(self) -> Path:
        """There once the runtime was told to let the first process run, and did."""
        return self.directory / "started"

    @property
    def defaults(self) -> Path:
        """What an exec session has where it asks for nothing."""
        return self.directory / "defaults.json"

    @property
    def plan(self) -> Path:
        """The run's plan once more: for a run that the state no longer knows."""
        return self.directory / "plan.json"

    @property
    def execs(self) -> Path:
        return self.directory / "exec"

    def exec(self, exec_id: str) -> ExecPaths:
        return ExecPaths(self.execs / _checked(exec_id), self.container_id)


class ExecPaths(MonitoredPaths, Struct, frozen=True):
    @property
    def process(self) -> Path:
        """The OCI process object."""
        return self.directory / "process.json"


def _checked(identifier: str) -> str:
    """An id of ours is 64 hexadecimal digits: nothing else may become a part of a path."""
    if not _ID.fullmatch(identifier):
        raise InvalidParameter(f"invalid id: {identifier!r}")
    return identifier


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file: a reader sees the old content or the new. For small files in directories that are ours alone.

    Raises:
        OSError: with the file's name, also where the system names none.
    """
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
    except OSError as error:
        error.filename = str(path)
        raise
    temporary.replace(path)
