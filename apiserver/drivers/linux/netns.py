"""Network namespaces that are held by a file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from apiserver.drivers.linux.mounts import unmount_now
from apiserver.drivers.process import Programs

_NS_GET_NSTYPE = 0xB703
_CLONE_NEWNET = 0x40000000
_WITHOUT_IPV6 = "f=/proc/sys/net/ipv6/conf/default/disable_ipv6; [ ! -e $f ] || echo 1 > $f"


class NetworkNamespaces:
    """Makes and removes network namespaces; never in a thread of ours, whose namespace would change."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def create(self, path: Path) -> None:
        """Make a namespace that lives as long as the file `path` is mounted on; its directory must exist.

        Its loopback interface is down: netavark and the OCI runtimes bring it up. Interfaces that come into it have no
        IPv6: our networks have none, and a router advertisement of a neighbour must not give one.

        Raises:
            FileExistsError: there is such a namespace already.
            ProgramFailed, ProgramMissing (`unshare`).
        """
        if exists(path):
            raise FileExistsError(path)
        path.touch(0o600)
        try:
            # unshare's child, still in the old namespaces, binds /proc/PID/ns/net onto the file.
            await self._programs.run(["unshare", f"--net={path}", "sh", "-c", _WITHOUT_IPV6], time_limit=30.0)
        except BaseException:
            remove(path)
            raise


def remove(path: Path) -> bool:
    """Let go of a namespace and remove its file; False when there was none. The kernel ends it in its own time."""
    unmount_now(path, detach=True)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def exists(path: Path) -> bool:
    """Whether this file holds a network namespace: after a crash or a reboot it may be a mere file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == _CLONE_NEWNET
    except OSError:
        return False
    finally:
        os.close(descriptor)
