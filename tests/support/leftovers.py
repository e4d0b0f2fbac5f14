"""What a service, or a run of it, left on the machine: processes, mounts, namespaces, interfaces, cgroups."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
KEPT_CGROUP = "cleanup"  # what reconciles step into; one for all, and it stays


@dataclass(frozen=True)
class Left:
    """One thing that is there."""

    kind: str
    name: str
    pid: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def processes(folder: Path) -> set[Left]:
    """Those that were started with a path below `folder`, or whose root is there or was mounted from there.

    A mount below `folder` that a process merely sees in its namespace is not its own: whoever made a namespace while
    something was mounted there has a copy of it.
    """
    found = set()
    needle = os.fsencode(folder)
    own = _mount_namespace(os.getpid())
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended while we looked
            pid = int(entry.name)
            arguments = (entry / "cmdline").read_bytes()
            if not arguments:  # a zombie or a kernel thread has none
                continue
            elsewhere = _mount_namespace(pid) != own
            if needle in arguments or (elsewhere and needle in _root(entry)):
                words = arguments.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
                found.add(Left("process", f"{pid} {words}", pid))
    return found


def _root(process: Path) -> bytes:
    """Where a process has its root, and how that was mounted."""
    lines = (process / "mountinfo").read_bytes().splitlines()
    return b"\n".join(
        [os.fsencode(os.readlink(process / "root")), *(line for line in lines if line.split()[4] == b"/")]
    )


def _mount_namespace(pid: int) -> str:
    return os.readlink(PROC / str(pid) / "ns" / "mnt")


def mounts(folder: Path) -> set[Left]:
    """Mount points below `folder`, and network namespaces kept by a mount anywhere.

    The image store's own directory is left out: skopeo and buildah keep it as a mount of itself.
    """
    found = set()
    for line in (PROC / "self" / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        if after.startswith("nsfs "):
            found.add(Left("namespace", point))
        elif Path(point).is_relative_to(folder) and not (Path(point).name == "overlay" and _itself(root, point)):
            found.add(Left("mount", point))
    return found


def _itself(root: str, point: str) -> bool:
    """Whether a mount point shows the directory that it lies on: one path is the end of the other.

    The root counts from the file system's own root, which lies above or below the root that we see.
    """
    return point.endswith(root) or root.endswith(point)


def interfaces() -> set[Left]:
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)
    return {Left("interface", link["ifname"]) for link in links}


def rules() -> set[Left]:
    """Packet filter and translation rules of networks; the chains that netavark keeps for all are not counted."""
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return {Left("rule", line) for line in saved.splitlines() if line.startswith("-A") and "10.89." in line}


def empty_cgroups() -> set[Left]:
    """The service's cgroups with no process in them, of whichever run: they are seen from everywhere.

    One with processes may be another run's; where it is ours, `processes` knows those.
    """
    found = set()
    for ours in service_cgroups():
        paths = (path for path in ours.iterdir() if path.is_dir() and path.name != KEPT_CGROUP)
        found |= {Left("cgroup", str(path)) for path in paths if not _members(path)}
    return found


def service_cgroups() -> list[Path]:
    """The cgroups that hold those of all containers of all services, one in each hierarchy where it is there."""
    bases = (CGROUPS, *(path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()))
    return [base / "apiserver" for base in bases if (base / "apiserver").is_dir()]


def _members(cgroup: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(pid) for file in cgroup.rglob("cgroup.procs") for pid in file.read_text().split()]
    return []


def everything(folder: Path) -> set[Left]:
    return processes(folder) | mounts(folder) | interfaces() | rules()


def settled(look: Callable[[], set[Left]], before: set[Left], seconds: float = 30) -> set[Left]:
    """What is there and was not `before`; what is on its way out gets some time.

    An `apiserver reconcile` that finds the root served waits 10 s for its lock before it gives up.
    """
    deadline = time.monotonic() + seconds
    while (left := look() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def clear(folder: Path) -> None:
    """End and take away all that stands below `folder`, by force; interfaces go with their namespaces."""
    for left in processes(folder):
        assert left.pid is not None
        in_cgroups = _cgroups_of(left.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(left.pid, signal.SIGKILL)
        for cgroup in in_cgroups:
            _clear_cgroup(cgroup)
    points = [
        line.split()[4]
        for line in (PROC / "self" / "mountinfo").read_text().splitlines()
        if Path(line.split()[4]).is_relative_to(folder)
    ]
    for point in reversed(points):
        subprocess.run(["umount", "-l", point], check=False)


def _cgroups_of(pid: int) -> list[Path]:
    """The service's own among the cgroups that a process is in."""
    found = []
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            # In the kept one are the guards and reconciles of other services too.
            if path.startswith("/apiserver/") and path != f"/apiserver/{KEPT_CGROUP}":
                name = controllers.removeprefix("name=") or "unified"
                candidates = (CGROUPS / name, CGROUPS)
                found += [base / path[1:] for base in candidates if (base / path[1:]).is_dir()]
    return found


def _clear_cgroup(cgroup: Path, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while cgroup.is_dir() and time.monotonic() < deadline:
        for pid in _members(cgroup):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):  # busy until its processes are gone
            for below in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
                below.rmdir()
            cgroup.rmdir()
        time.sleep(0.01)
