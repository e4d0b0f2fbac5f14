"""Seccomp profiles that clients name by a file of this host."""

from __future__ import annotations

import os
import stat

from apiserver.errors import InvalidParameter

LONGEST = 1 << 20
"""Bytes; the default one has 40 thousand."""


def read(path: str) -> str:
    """The text of the file. May block for ever, where a file server does not answer.

    Raises:
        InvalidParameter: in Podman's words.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise InvalidParameter(f"opening seccomp profile failed: open {path[:4096]}: {_reason(error)}") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidParameter(f"opening seccomp profile failed: {path} is no file")
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise InvalidParameter(f"opening seccomp profile failed: {path} has more than {LONGEST} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidParameter(f"opening seccomp profile failed: {path} is no text") from None


def _reason(error: OSError | ValueError) -> str:
    return (os.strerror(error.errno).lower() if error.errno else "") if isinstance(error, OSError) else "no path"
