"""System calls that Python does not have, by number: the same on every architecture that Debian's containers run on."""

from __future__ import annotations

import ctypes
import os

OPEN_TREE = 428
MOVE_MOUNT = 429
FSOPEN = 430
FSCONFIG = 431
FSMOUNT = 432
OPENAT2 = 437
MOUNT_SETATTR = 442

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100

_libc = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None, what: str = "") -> int:
    """Make a system call; `what` names its object in the error.

    Raises:
        OSError: with the call's errno.
    """
    result: int = _libc.syscall(ctypes.c_long(number), *(_argument(a) for a in arguments))
    return _checked(result, what)


def call(function: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None, what: str = "") -> int:
    """Call a function of libc that sets errno; errors as `syscall`."""
    result: int = getattr(_libc, function)(*(_argument(a) for a in arguments))
    return _checked(result, what)


def _argument(value: int | bytes | ctypes.Array[ctypes.c_char] | None) -> object:
    return ctypes.c_long(value) if isinstance(value, int) else value


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what or None)
    return result
