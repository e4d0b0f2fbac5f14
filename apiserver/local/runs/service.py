"""The port `Runs` on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apiserver.config.host import Host
from apiserver.drivers.conmon.start import Conmon
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.process import Programs
from apiserver.drivers.threads import Threads
from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.processes import ProcessFacts, ProcessTable
from apiserver.engine.ports.publish import HeldPorts
from apiserver.engine.ports.runs import Found, RunEnd, RunKey, RunSpec, Started
from apiserver.errors import InvalidParameter, ProgramMissing
from apiserver.jsonvalue import JsonObject
from apiserver.local.paths import Paths
from apiserver.local.runs.bundle import Bundles, HostFiles
from apiserver.local.runs.cleanup import Cleanup
from apiserver.local.runs.exitfile import ExitFiles, unknown_end
from apiserver.local.runs.launch import Launch
from apiserver.local.runs.machine import Machine, look
from apiserver.local.runs.news import News
from apiserver.local.runs.placing import Placing
from apiserver.local.runs.plan import RunPlan, cgroup_of
from apiserver.local.runs.rootfs import Layers, Rootfs
from apiserver.local.runs.sources import check_sources, touching
from apiserver.local.runs.spec import init, limits, mounts, security, ulimits
from apiserver.local.runs.stop import Stop
from apiserver.local.runs.survey import Survey
from apiserver.local.runs.written import written_bytes


class LocalRuns:
    """Runs of containers by conmon and an OCI runtime.

    Args:
        reactor: descriptors, time and the pool of threads.
        layers: the image store's side.
        now: the time of day, for what nobody recorded.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        paths: Paths,
        host: Host,
        programs: Programs,
        layers: Layers,
        machine: Machine | None = None,
        host_files: HostFiles | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._paths = paths
        self._host = host
        self._now = now
        self.reactor = reactor
        self.programs = programs
        self.machine = machine or look(host)
        self.threads = threads = Threads(reactor)
        self._cgroups = cgroups = Cgroups(host.hierarchies)
        rootfs = Rootfs(layers, threads)
        self.changes = News(reactor)
        self.exit_files = ExitFiles(reactor)
        self.placing = Placing(Cgroups(self.machine.monitor_hierarchies), threads)
        self._launch = Launch(
            paths,
            programs,
            Conmon(programs),
            Bundles(self.machine, rootfs, threads, host_files=host_files),
            self.changes,
            self.placing,
            now=now,
        )
        self._stop = Stop(reactor)
        self._cleanup = Cleanup(paths, programs, rootfs, self.changes, threads, cgroups, reactor=reactor)
        self._survey = Survey(paths, programs, self.changes, cgroups)

    def choose_runtime(self, asked: str) -> str:
        if not asked:
            if self._host.default_runtime is None:
                raise ProgramMissing("an OCI runtime that works here (crun or runc)")
            return self._host.default_runtime
        name = asked.rpartition("/")[2]
        if self._runtime_path(asked) is None:
            raise InvalidParameter(f"unknown or invalid runtime name: {asked}")
        if name in self._host.unusable_runtimes:
            raise InvalidParameter(
                f"the runtime {asked} does not work on this host: {self._host.unusable_runtimes[name]}"
            )
        return asked

    async def seccomp_profile(self, path: str) -> str:
        from apiserver.local.runs import profiles  # no start needs it

        return await self.threads.ask(path, profiles.read, path)

    async def warnings(self, options: ContainerOptions) -> tuple[str, ...]:
        await touching(self.threads, options.mounts, check_sources, options.mounts)
        for mount in options.mounts.mounts:
            mounts.checked_target(mount.target)
        if options.lifecycle.init:  # raises where there is no such program
            await self.threads.run(init.mount, options.lifecycle, self._host.programs.get(init.PROGRAM))
        if options.process.timezone:
            from apiserver.local.runs import timezones  # no start needs it

            await self.threads.run(timezones.read, options.process.timezone)  # raises where there is no such zone
        if options.devices.checked and options.devices.devices:
            from apiserver.local.runs.spec import host_devices  # few containers have any

            await self.threads.run(host_devices.find, options.devices.devices)  # raises for what is none
        ignored = security.ignored_apparmor(options.security, self.machine.apparmor)
        missing = security.clamped(options.security, self.machine.capabilities)
        found = list(limits.warnings(options.limits, self.machine.acting))
        found += ulimits.warnings(options.limits.ulimits, self.machine.highest_ulimits)
        if missing:
            found.append(f"The service does not have {', '.join(missing)} itself. Capability discarded.")
        if ignored:
            found.append(f"AppArmor is not enabled on this system. AppArmor profile {ignored} discarded.")
        wanted = options.limits.oom_score_adj
        if wanted is not None and wanted < self.machine.oom_score_adj and not self.machine.may_lower_oom_score:
            found.append("The service may not lower the OOM score below its own. OomScoreAdj clamped.")
        return tuple(found)

    def plan(self, key: RunKey, options: ContainerOptions, runtime: str) -> JsonObject:
        path = self._runtime_path(runtime)
        if path is None:
            raise ProgramMissing(runtime)
        return RunPlan.of(self._paths, key, path, options.limits.cgroup_parent).to_json()

    async def create(self, spec: RunSpec, plan: JsonObject, held: HeldPorts | None) -> int | None:
        made = RunPlan.from_json(plan)
        pid = await self._launch.create(spec, made, held)
        if path := spec.options.lifecycle.monitor_pid_file:
            from apiserver.local.runs import monitor_file  # few containers have one

            await self.threads.ask(path, monitor_file.write, made.run, Path(path))
        return pid

    async def start(self, plan: JsonObject) -> Started:
        return await self._launch.start(RunPlan.from_json(plan))

    async def signal(self, plan: JsonObject, signal: int) -> None:
        await self._stop.signal(RunPlan.from_json(plan), signal)

    async def stop(self, plan: JsonObject, signal: int, timeout: float | None) -> None:
        await self._stop.stop(RunPlan.from_json(plan), signal, timeout)

    async def end(self, plan: JsonObject) -> RunEnd:
        return await self.exit_files.end(RunPlan.from_json(plan).run) or unknown_end(self._now)

    async def discard(self, plan: JsonObject, *, processes: bool = True) -> None:
        undone = RunPlan.from_json(plan)
        self._launch.forget(undone.key)
        await self._cleanup.discard(undone, processes=processes)

    async def forget(self, container_id: str) -> None:
        await self._cleanup.forget(container_id)

    async def written_bytes(self, container_id: str) -> int:
        return await written_bytes(self.threads, self._paths.container(container_id).upper)

    async def ps(self, plan: JsonObject, arguments: Sequence[str]) -> ProcessTable:
        from apiserver.local.runs import top  # no start needs it

        return await top.table(self.programs, self._cgroups, RunPlan.from_json(plan), arguments)

    async def processes(self, plan: JsonObject) -> tuple[ProcessFacts, ...]:
        from apiserver.local.runs import top

        run = RunPlan.from_json(plan)
        # Its passwd may lie on what it mounted itself, and that may never answer.
        return await self.threads.ask(
            f"the processes of container {run.key.container_id}", top.facts, self._cgroups, run
        )

    async def namespaces(self, plan: JsonObject) -> Mapping[str, int]:
        from apiserver.local.runs import top

        return top.namespaces(self._cgroups, RunPlan.from_json(plan))

    def facts(self, key: RunKey, options: ContainerOptions) -> RunFacts:
        from apiserver.local.runs.facts import run_facts  # no start needs it

        return run_facts(self._paths, self.machine, key, options, cgroup_of(key, options.limits.cgroup_parent))

    def news(self, listener: Callable[[RunKey], None]) -> None:
        self.changes.tell(listener)

    async def survey(self, plans: Mapping[RunKey, JsonObject]) -> Mapping[RunKey, Found]:
        return await self._survey.survey(plans)

    async def strangers(self, known: frozenset[str]) -> frozenset[str]:
        return await self._survey.strangers(known)

    def close(self) -> None:
        """Let go of what is watched; the containers run on."""
        self.changes.close()
        self.exit_files.close()

    def _runtime_path(self, runtime: str) -> Path | None:
        if "/" in runtime:
            path = Path(runtime)
            return path if path.is_absolute() and path.is_file() else None
        return self._host.runtimes.get(runtime)
