"""A container's passwd and group: read with bounds, whatever its image or its processes have made of them."""

from __future__ import annotations

import os
import stat

from apiserver.drivers.linux.openat2 import Inside, read_regular
from apiserver.errors import InvalidParameter
from apiserver.local.runs.view import View

PASSWD, GROUP = "/etc/passwd", "/etc/group"
LIMIT = 4 << 20
"""Bytes of one that are looked at."""


def read_passwd_and_group(view: View) -> tuple[bytes, bytes]:
    """What the container's own passwd and group hold; empty where it has none.

    Raises:
        InvalidParameter: a fifo, a device, an endless file: a runtime that reads it too would never come back.
    """
    return _read(view, PASSWD), _read(view, GROUP)


def is_covered(view: View, path: str) -> bool:
    """Whether a path lies in, or is, what the client mounts from elsewhere."""
    try:
        mount = view.find(path).mount
    except OSError:
        return False
    return mount is not None and mount.is_bind


def read_accounts(root: Inside, path: str, name: str) -> bytes:
    """A passwd or group file below `root`; empty where there is none.

    Args:
        name: its path in the container, for the refusal.

    Raises:
        InvalidParameter: as `read_passwd_and_group`.
    """
    try:
        descriptor = root.open(path)
    except OSError:
        return b""  # none, or a link that leads nowhere in there
    return _content(descriptor, name)


def _read_source(source: str, name: str) -> bytes:
    """What is mounted on the file itself: links on the way are the host's, and the runtime follows them too."""
    try:
        descriptor = os.open(source, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return b""
    return _content(descriptor, name)


def _content(descriptor: int, name: str) -> bytes:
    """Closes the descriptor."""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidParameter(f"the container's {name} is not a regular file")
        if status.st_size > LIMIT:
            raise InvalidParameter(f"the container's {name} is larger than {LIMIT} bytes")
        return read_regular(descriptor, LIMIT) or b""
    except OSError as error:
        raise InvalidParameter(f"the container's {name} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _read(view: View, path: str) -> bytes:
    try:
        place = view.find(path)
    except OSError:
        return b""  # a link that leads nowhere
    if place.mount is None or not place.mount.is_bind:
        return read_accounts(view.root, place.path, path)
    if place.rest == "/":
        return _read_source(place.mount.source, path)
    directory = view.directory(place.mount)
    # Where a file is to be mounted on /etc the runtime says what is wrong with that.
    return read_accounts(directory, place.rest, path) if directory is not None else b""
