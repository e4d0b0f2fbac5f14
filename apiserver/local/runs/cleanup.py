"""Undoing a run: by the names in its plan, in whatever state it was left."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.linux.remove_tree import remove_tree
from apiserver.drivers.oci_runtime import OciRuntime
from apiserver.drivers.process import Programs
from apiserver.drivers.threads import Threads
from apiserver.errors import HostError
from apiserver.local.paths import Paths
from apiserver.local.runs.identity import end_monitor, hold
from apiserver.local.runs.news import News
from apiserver.local.runs.plan import RunPlan
from apiserver.local.runs.rootfs import Rootfs

log = Logger()

_PAUSES = (0.001, 0.002, 0.004, *[0.01] * 500)
"""Seconds between two looks at a cgroup: what was killed is mostly gone at the first."""

_KILLED_LIMIT = 10.0
"""Seconds that a killed process may take to go: a kernel that is in the middle of something keeps it."""


class Cleanup:
    def __init__(
        self,
        paths: Paths,
        programs: Programs,
        rootfs: Rootfs,
        news: News,
        threads: Threads,
        cgroups: Cgroups,
        *,
        reactor: Any,
    ) -> None:
        self._paths = paths
        self._programs = programs
        self._rootfs = rootfs
        self._news = news
        self._threads = threads
        self._cgroups = cgroups
        self._reactor = reactor

    async def discard(self, plan: RunPlan, *, processes: bool = True) -> None:
        """
        Raises:
            HostError: something is still there.
        """
        try:
            await self._discard(plan, processes)
        except OSError as error:
            raise HostError(f"run {plan.key.number} of {plan.key.container_id} is not undone: {error}") from error

    async def _discard(self, plan: RunPlan, processes: bool) -> None:
        self._news.forget(plan.key)
        if processes:
            await self._kill_first_process(plan)
            self._end_monitor(plan)
        # The root is free as soon as the first process is gone: its mount namespace went with it.
        # Each is waited for: what fails must not let go of the container while the other still works on it.
        both: Sequence[tuple[bool, object]] = await DeferredList(
            [
                Deferred.fromCoroutine(self._runtime_delete(plan)),
                Deferred.fromCoroutine(self._rootfs.unmount(plan.container)),
            ],
            consumeErrors=True,
        )
        for _, result in both:
            if isinstance(result, Failure):
                result.raiseException()
        await self._empty(plan.cgroup)
        await self._empty(plan.monitor_cgroup)
        await self._threads.run(remove_tree, plan.run.directory)
        with suppress(OSError):  # another run of it is there, or it is gone
            plan.run.directory.parent.rmdir()

    async def forget(self, container_id: str) -> None:
        """
        Raises:
            HostError: something is still there.
        """
        container = self._paths.container(container_id)
        try:
            for plan in await self._plans_left(container_id):
                await self.discard(plan)
            await self._rootfs.unmount(container)
            await self._threads.run(remove_tree, container.directory)
        except OSError as error:
            raise HostError(f"the files of {container_id} are not deleted: {error}") from error

    async def _plans_left(self, container_id: str) -> list[RunPlan]:
        """Runs that still have a directory; the engine discards those it knows, so these are strangers'."""
        plans = []
        try:
            names = os.listdir(self._paths.run(container_id, 0).directory.parent)
        except FileNotFoundError:
            return []
        for name in names:
            directory = self._paths.run(container_id, 0).directory.with_name(name)
            try:
                plans.append(RunPlan.from_json(json.loads((directory / "plan.json").read_bytes())))
            except (FileNotFoundError, ValueError, HostError):
                await self._threads.run(remove_tree, directory)  # we died before anything but the directory was made
        return plans

    async def _kill_first_process(self, plan: RunPlan) -> None:
        process = hold(self._reactor, plan.run)
        if process is None:
            return
        try:
            process.signal(signal.SIGKILL)
            await process.ended().addTimeout(_KILLED_LIMIT, self._reactor)
        except ProcessLookupError:
            return
        except TimeoutError:
            raise HostError(f"the first process of {plan.key.container_id} was killed and does not go") from None
        finally:
            process.close()

    def _end_monitor(self, plan: RunPlan) -> None:
        """Kill conmon, and its exit command before that gets far: it costs as much as all the rest.

        Where we are that command ourselves, only conmon. What is missed here is ended with its cgroup.
        """
        end_monitor(self._reactor, plan.run)
        if os.getpid() not in self._cgroups.pids(plan.monitor_cgroup):
            self._cgroups.kill(plan.monitor_cgroup)

    async def _runtime_delete(self, plan: RunPlan) -> None:
        if not (plan.runtime_root / plan.key.container_id).exists():
            return
        runtime = OciRuntime(self._programs, plan.runtime, plan.runtime_root)
        try:
            await runtime.delete(plan.key.container_id, force=True)
        except HostError as error:
            # Its own record may be half-written: what it stands for is ended below, by the cgroup.
            log.warn(
                "{runtime} cannot delete {id}: {error}", runtime=plan.runtime, id=plan.key.container_id, error=error
            )
            await self._threads.run(remove_tree, plan.runtime_root / plan.key.container_id)

    async def _empty(self, cgroup: str) -> None:
        """Kill what is still in a cgroup, and remove it."""
        if not self._cgroups.exists(cgroup):
            return
        for pause in _PAUSES:
            self._cgroups.kill(cgroup)
            if self._cgroups.remove(cgroup):
                return
            await deferLater(self._reactor, pause)
        raise HostError(f"the cgroup {cgroup} cannot be removed: processes in it do not end")
