"""What is there of the runs that the state knows, and of containers that it does not know."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from apiserver.config.host.mountinfo import mounts
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.oci_runtime import OciRuntime
from apiserver.drivers.process import Programs
from apiserver.engine.ports.runs import Found, RunKey
from apiserver.errors import HostError, NoSuchContainer
from apiserver.jsonvalue import JsonObject
from apiserver.local.paths import Paths
from apiserver.local.runs.exitfile import read_end
from apiserver.local.runs.identity import first_pid, remember
from apiserver.local.runs.news import News
from apiserver.local.runs.plan import RunPlan

_PARENT = "/apiserver"
_OURS = re.compile(r"([0-9a-f]{64})")


class Survey:
    def __init__(self, paths: Paths, programs: Programs, news: News, cgroups: Cgroups) -> None:
        self._paths = paths
        self._programs = programs
        self._news = news
        self._cgroups = cgroups

    async def survey(self, plans: Mapping[RunKey, JsonObject]) -> dict[RunKey, Found]:
        mounted = frozenset(str(mount.target) for mount in mounts())
        cgroups = self._cgroups.children(_PARENT)
        found: dict[RunKey, Found] = {}
        for key, value in plans.items():
            found[key] = await self._look(RunPlan.from_json(value), mounted, cgroups)
        return found

    async def strangers(self, known: frozenset[str]) -> frozenset[str]:
        # Not by cgroups: those of another service, with a root of its own, lie beside ours.
        names = _listed(self._paths.containers) | _listed(self._paths.runs)
        ids = {match[1] for name in names if (match := _OURS.fullmatch(name))}
        return frozenset(ids - known)

    async def _look(self, plan: RunPlan, mounted: frozenset[str], cgroups: set[str]) -> Found:
        names = (Path(plan.cgroup).name, Path(plan.monitor_cgroup).name)
        if not plan.run.directory.exists() and not cgroups.intersection(names):
            return Found.LEFTOVERS if str(plan.container.merged) in mounted else Found.NOTHING
        pid = first_pid(plan, self._cgroups)
        if pid is not None:
            started = await self._was_started(plan)
            self._news.watch(plan.key, pid)
            if plan.run.directory.exists() and not plan.run.identity.exists():
                remember(plan.run, pid)
            return Found.RUNNING if started else Found.CREATED
        if read_end(plan.run) is not None or plan.run.started.exists():
            return Found.ENDED
        return Found.LEFTOVERS

    async def _was_started(self, plan: RunPlan) -> bool:
        """Whether the first process was told to run; the runtime is asked only where we died in between."""
        if plan.run.started.exists():
            return True
        runtime = OciRuntime(self._programs, plan.runtime, plan.runtime_root)
        try:
            state = await runtime.state(plan.key.container_id)
        except NoSuchContainer:
            # Its record went with the run root: with processes in its cgroup it is a running container.
            return not plan.run.directory.exists()
        except HostError:
            return False
        return state.status != "created"


def _listed(directory: Path) -> set[str]:
    try:
        return set(os.listdir(directory))
    except FileNotFoundError:
        return set()
