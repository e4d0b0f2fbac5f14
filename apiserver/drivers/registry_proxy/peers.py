"""Who has connected on loopback: the service, or skopeo as its child in the same call, and nobody else of this machine.

A container with the host's network is on it too, and root there may be root here; and skopeo of another call goes
wherever another registry redirects it. Whoever came through would have the client certificates of certs.d, and the way
through the host's proxies.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

_LOCAL, _REMOTE, _UID, _INODE = 1, 2, 7, 9
_GONE = (FileNotFoundError, ProcessLookupError)
_LOOKS = 3
"""At the kernel's table, which may leave out some while others come and go."""


def is_ours(connection: socket.socket, word: str) -> bool:
    """
    Args:
        connection: by IPv4.
        word: that a child of the service has in its command line where it is of this call.
    """
    wanted = [_in_table(connection.getpeername()), _in_table(connection.getsockname())]
    for _ in range(_LOOKS):
        with open("/proc/net/tcp") as table:
            rows = (line.split() for line in table)
            found = next((row for row in rows if [row[_LOCAL], row[_REMOTE]] == wanted), None)
        if found is not None:
            return int(found[_UID]) == os.getuid() and _has_service(f"socket:[{found[_INODE]}]", word)
    return False


def _in_table(address: tuple[str, int]) -> str:
    host, port = address
    return "{}:{:04X}".format("".join(f"{int(part):02X}" for part in reversed(host.split("."))), port)


def _has_service(what: str, word: str) -> bool:
    service = os.getppid()
    children = (pid for each in (_listed, _found) for pid in each(service))
    return any(_has_word(pid, word) and _has_open(pid, what) for pid in children) or _has_open(service, what)


def _listed(parent: int) -> Iterator[int]:
    """Its children, as the kernel lists them: quickly, but it may leave some out while others end."""
    for thread in os.listdir(f"/proc/{parent}/task"):
        with suppress(*_GONE), open(f"/proc/{parent}/task/{thread}/children") as listed:
            yield from map(int, listed.read().split())


def _found(parent: int) -> Iterator[int]:
    """All its children."""
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(*_GONE), open(f"/proc/{pid}/stat") as stat:
            if int(stat.read().rpartition(")")[2].split()[1]) == parent:
                yield int(pid)


def _has_word(pid: int, word: str) -> bool:
    with suppress(*_GONE), open(f"/proc/{pid}/cmdline", "rb") as line:
        return word.encode() in line.read().split(b"\0")
    return False


def _has_open(pid: int, what: str) -> bool:
    with suppress(*_GONE):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with suppress(*_GONE):
                if os.readlink(f"/proc/{pid}/fd/{number}") == what:
                    return True
    return False
