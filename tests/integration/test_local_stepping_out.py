"""A reconcile that a container's monitor has started does not stay where its own work would kill it."""

from __future__ import annotations

import secrets
import subprocess
import sys

from apiserver.config.host import read_host
from apiserver.drivers.linux.cgroups import Cgroups

STARTED_BY_A_MONITOR = """
import os, sys
from apiserver.config.host import read_host
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.local.runs.stepping_out import step_out
cgroups = Cgroups(read_host().hierarchies)
cgroups.move(sys.argv[1], os.getpid())
step_out(cgroups)
print(cgroups.pids(sys.argv[1]), os.getpid() in cgroups.pids("/apiserver/cleanup"))
"""


def test_it_leaves_the_cgroup_of_the_monitor_in_every_tree() -> None:
    cgroups = Cgroups(read_host().hierarchies)
    monitor = f"/apiserver/conmon-{secrets.token_hex(32)}"
    cgroups.create(monitor)
    try:
        done = subprocess.run(
            [sys.executable, "-c", STARTED_BY_A_MONITOR, monitor], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["set()", "True"]
    finally:
        assert cgroups.remove(monitor)


def test_who_was_started_by_somebody_else_stays_where_it_is() -> None:
    program = (
        "from pathlib import Path; own = Path('/proc/self/cgroup'); before = own.read_text()\n"
        "from apiserver.drivers.linux.cgroups import Cgroups\n"
        "from apiserver.local.runs.stepping_out import step_out\n"
        "step_out(Cgroups(())); print(own.read_text() == before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
