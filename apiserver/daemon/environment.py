"""What systemd says to a service in its environment: read once, then gone before any child could see it.

This must run before Twisted is imported: `twisted.internet.endpoints` removes LISTEN_PID and LISTEN_FDS
at import and leaves LISTEN_FDNAMES behind. Under twistd that import is over before we are asked; the
descriptors are then taken from where Twisted put them.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import MutableMapping
from itertools import chain, repeat

from msgspec import Struct

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START in sd_listen_fds(3)

_OURS = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "NOTIFY_SOCKET", "INVOCATION_ID")


class PassedDescriptor(Struct, frozen=True):
    """A listening socket that whoever started us has opened.

    Attributes:
        name: systemd's FileDescriptorName.
        missing: LISTEN_FDS counts it, but it was not open as we were started. By now the number may be another file's.
    """

    fd: int
    name: str = ""
    missing: bool = False


class Invocation(Struct, frozen=True):
    """How this process was started.

    Attributes:
        notify_socket: where sd_notify(3) messages go: a path, or an abstract name that begins with `@`.
    """

    passed: tuple[PassedDescriptor, ...] = ()
    notify_socket: str | None = None


def take_invocation(environ: MutableMapping[str, str] | None = None) -> Invocation:
    """Read what systemd said and remove it from the environment; the descriptors become close-on-exec.

    Of those that are not open only the first is given, as `missing`.
    """
    environment = os.environ if environ is None else environ
    passed = _from_environment(environment) or _from_twisted(environment.get("LISTEN_FDNAMES", ""))
    notify_socket = environment.get("NOTIFY_SOCKET")
    for name in _OURS:
        environment.pop(name, None)
    return Invocation(passed, notify_socket)


def _from_environment(environment: MutableMapping[str, str]) -> tuple[PassedDescriptor, ...]:
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not count.isascii() or not count.isdigit():
        return ()
    return _named(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)), environment.get("LISTEN_FDNAMES", ""))


def _from_twisted(names: str) -> tuple[PassedDescriptor, ...]:
    endpoints = sys.modules.get("twisted.internet.endpoints")
    if endpoints is None:
        return ()
    from apiserver.daemon._twisted import descriptors_taken_at_import

    return _named(descriptors_taken_at_import(), names)


def _named(descriptors: range | list[int], names: str) -> tuple[PassedDescriptor, ...]:
    # systemd-socket-activate without --fdname sets no names, and a short list names only the first.
    parts = names.split(":") if names else []
    passed: list[PassedDescriptor] = []
    for fd, name in zip(descriptors, chain(parts, repeat("")), strict=False):
        passed.append(PassedDescriptor(fd, name, missing=not _kept_from_children(fd)))
        if passed[-1].missing:
            break
    return tuple(passed)


def _kept_from_children(fd: int) -> bool:
    """Whether it is open at all."""
    try:
        os.set_inheritable(fd, False)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return False
    return True
