"""Leaving the cgroup in which conmon has started us at a container's end."""

from __future__ import annotations

import os
from pathlib import Path

from apiserver.drivers.linux.cgroups import Cgroups

LEAF = "/apiserver/cleanup"
"""Stays for the next, of whichever root: a cgroup cannot be removed by who is in it."""

_OWN = Path("/proc/self/cgroup")


def step_out(cgroups: Cgroups) -> None:
    """Leave it, where we are in one, before any program is started. Takes some 20 ms.

    All that is in a monitor's cgroup is killed when its container is settled: the programs that work for another
    container just then too, if they were started from there.
    """
    if "/apiserver/conmon-" in _OWN.read_text():
        cgroups.create(LEAF)
        cgroups.move(LEAF, os.getpid())
