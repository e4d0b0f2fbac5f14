"""Network and mount namespaces of the tests' own, so a run neither disturbs the machine nor another run.

All that the tests start lives in them too: bridges, rules, published ports and mounts are seen from the tests as a
host's own, and are gone with the last process.
"""

from __future__ import annotations

import ctypes
import os
import subprocess

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000


def enter_own_namespaces() -> None:
    """Move the calling thread, and so all that it starts later, out of the machine's namespaces.

    To be called before any other thread is there: those stay where they are.

    Raises:
        OSError: it is not allowed (a container without CAP_SYS_ADMIN, say).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
