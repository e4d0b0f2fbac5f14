"""Where a server runs: mounts, a network and processes of its own, on the host's root or on another one."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from pathlib import Path

END_SECONDS = 30

# $1 is the root, `/` for the machine's own. /run is empty, so no server finds a service manager or another's files;
# and so is /dev/shm; the network has loopback alone, so no server's rules are in another's way; without `unified`, crun
# works on a host with hybrid cgroups too. The root is entered by pivot_root: below a mere chroot an exec would land in
# the machine's.
_MAKE = """set -e
umount /sys/fs/cgroup/unified 2>/dev/null || :
ip link set lo up
if [ "$1" != / ]; then
    mount --bind "$1" "$1"
    mount --rbind /sys "$1/sys"
    mount --rbind /dev "$1/dev"
    mount --rbind /tmp "$1/tmp"
    mount -t proc proc "$1/proc"
    mkdir -p "$1/.old"
    cd "$1"
    pivot_root . .old
    cd /
    umount -l /.old
else
    mount -t proc proc /proc
fi
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock
mount -t tmpfs -o mode=1777 shm /dev/shm
mount --make-rshared /
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
sleep infinity &
echo made
while :; do wait; done
"""  # bash, as the first process: it reaps what the servers leave behind


class Place:
    """Namespaces that are made once and entered at each start; all in them ends with them, and with this process."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        names = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private")
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", *names, "bash", "-c", _MAKE, "bash", str(root)],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"made\n":
            raise RuntimeError(f"no namespaces for a server on {root}")
        self._first = children(self._holder.pid)[0]

    def entering(self, *namespaces: str) -> list[str]:
        """The command to put in front: `mount`, `net`, `pid`; all of them where none is named."""
        chosen = namespaces or ("mount", "net", "pid")
        return ["nsenter", "--target", str(self._first), *(f"--{name}" for name in chosen), "--"]

    def says(self, *command: str) -> str:
        """The first line that a program there writes, or why there is none."""
        ended = subprocess.run([*self.entering(), *command], capture_output=True, text=True, check=False)
        lines = (ended.stdout or ended.stderr).splitlines()
        return lines[0] if lines else "nothing"

    def close(self) -> None:
        """
        Raises:
            RuntimeError: there is still a process; the first is the last to go.
        """
        first = os.pidfd_open(self._first)
        try:
            self._holder.kill()
            self._holder.wait()
            if not select.select([first], [], [], END_SECONDS)[0]:
                raise RuntimeError(f"not all processes of a server on {self.root} have ended")
        finally:
            os.close(first)


class Cgroups:
    """The cgroups of one name directly below each hierarchy's root: those that were not there before can be removed."""

    def __init__(self, name: str, hierarchies: Path = Path("/sys/fs/cgroup")) -> None:
        self._places = [hierarchies / name, *(each / name for each in hierarchies.iterdir() if each.is_dir())]
        self._before = {place for place in self._places if place.exists()}

    def remove(self) -> None:
        """
        Raises:
            OSError: one has processes still.
        """
        for place in self._places:
            if place not in self._before and place.exists():
                for directory, _, _ in os.walk(place, topdown=False):
                    os.rmdir(directory)


def children(pid: int) -> list[int]:
    """Of all its threads; a program in Go starts others from any of them."""
    found: list[int] = []
    gone = contextlib.suppress(FileNotFoundError, ProcessLookupError)  # a process or a thread that ended meanwhile
    with gone:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with gone:
                found += [int(child) for child in (task / "children").read_text().split()]
    return found
