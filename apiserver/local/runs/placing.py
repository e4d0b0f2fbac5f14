"""A cgroup for the monitors of a run, so that whoever stops the service by its cgroup does not stop them."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.threads import Threads
from apiserver.local.paths import MonitoredPaths
from apiserver.local.runs.identity import monitor_pid
from apiserver.local.runs.plan import RunPlan

log = Logger()


class Placing:
    """Moves conmon once it has created the process: the kernel takes 5 ms and more for it.

    Before, it would only delay the runtime; its children go into the container's cgroup in any case. So this runs
    beside the runtime's start.
    """

    def __init__(self, cgroups: Cgroups, threads: Threads) -> None:
        self._cgroups = cgroups
        self._threads = threads

    def begin(self, plan: RunPlan, monitored: MonitoredPaths) -> Deferred[None]:
        """Fires when it is done; it never fails."""
        if not self._cgroups.hierarchies:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done
        return Deferred.fromCoroutine(self._place(plan, monitored))

    async def _place(self, plan: RunPlan, monitored: MonitoredPaths) -> None:
        pid = monitor_pid(monitored)
        if pid is None:
            return
        try:
            self._cgroups.create(plan.monitor_cgroup)
            await self._threads.run(self._cgroups.move, plan.monitor_cgroup, pid)
        except OSError as error:
            # It has ended meanwhile, or the run is being undone; else it runs on where it is.
            log.info("conmon of {id} stays in our cgroup: {error}", id=plan.key.container_id, error=error)
