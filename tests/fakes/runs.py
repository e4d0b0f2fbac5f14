"""Runs on a machine in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from twisted.internet.defer import Deferred, TimeoutError

from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.processes import Person, ProcessFacts, ProcessTable
from apiserver.engine.ports.publish import HeldPorts
from apiserver.engine.ports.runs import Found, NotRunning, RunEnd, RunKey, RunSpec, Started
from apiserver.errors import InvalidParameter, PsRefused
from apiserver.jsonvalue import JsonObject
from tests.fakes.gates import Gates
from tests.fakes.machine import SIGKILL, Machine, Phase, Process

PROFILE = "/etc/profile.json"
"""The one file there is with a seccomp profile."""
_FOUND = {
    Phase.CREATED: Found.CREATED,
    Phase.RUNNING: Found.RUNNING,
    Phase.PAUSED: Found.PAUSED,
    Phase.ENDED: Found.ENDED,
}


def key_of(plan: JsonObject) -> RunKey:
    number = plan["run"]
    assert isinstance(number, int)
    return RunKey(str(plan["container"]), number)


class FakeRuns:
    """
    Attributes:
        specs: what `create` was asked for.
        discarded: with whether processes were to be looked at.
    """

    def __init__(self, machine: Machine, gates: Gates | None = None) -> None:
        self._machine = machine
        self._gates = gates or Gates()
        self.specs: list[RunSpec] = []
        self.discarded: list[tuple[RunKey, bool]] = []
        self.surveys = 0

    def choose_runtime(self, asked: str) -> str:
        if asked not in ("", "crun"):
            raise InvalidParameter(f"unknown or invalid runtime name: {asked}")
        return "crun"

    async def seccomp_profile(self, path: str) -> str:
        if path != PROFILE:
            raise InvalidParameter(f"opening seccomp profile failed: open {path}: no such file or directory")
        return '{"defaultAction": "SCMP_ACT_ALLOW"}'

    async def warnings(self, options: ContainerOptions) -> tuple[str, ...]:
        return ("Your kernel does not support swap limit capabilities",) if options.limits.memory_swap_bytes else ()

    def plan(self, key: RunKey, options: ContainerOptions, runtime: str) -> JsonObject:
        return {"container": key.container_id, "run": key.number}

    async def create(self, spec: RunSpec, plan: JsonObject, held: HeldPorts | None) -> int | None:
        await self._gates.pass_by("runs.create")
        key = key_of(plan)
        assert key not in self._machine.runs, "a run is made once"
        self.specs.append(spec)
        self._machine.runs[key] = Process(deaf_to=self._machine.deaf_to)
        self._machine.files.add(key.container_id)
        self._machine.filled_volumes |= set() if self._machine.bare_images else spec.new_volumes
        self._machine.watched.add(key)
        await self._gates.pass_by("runs.create done")
        return 1000 + key.number

    async def start(self, plan: JsonObject) -> Started:
        await self._gates.pass_by("runs.start")
        key = key_of(plan)
        self._machine.starts[key] = self._machine.starts.get(key, 0) + 1
        self._machine.runs[key].phase = Phase.RUNNING
        await self._gates.pass_by("runs.start done")
        return Started(self._machine.now(), pid=1000 + key.number)

    async def signal(self, plan: JsonObject, signal: int) -> None:
        await self._gates.pass_by("runs.signal")
        self._deliver(key_of(plan), signal)

    async def stop(self, plan: JsonObject, signal: int, timeout: float | None) -> None:
        await self._gates.pass_by("runs.stop")
        key = key_of(plan)
        process = self._machine.runs.get(key)
        if process is None or process.gone:
            return
        if timeout != 0:
            self._machine.deliver(key, signal)
            gone = Deferred.fromCoroutine(process.until_gone())
            with suppress(TimeoutError):
                await (gone if timeout is None else gone.addTimeout(timeout, self._machine.clock))
        if not process.gone:
            self._machine.deliver(key, SIGKILL)
        await process.until_gone()

    async def end(self, plan: JsonObject) -> RunEnd:
        await self._gates.pass_by("runs.end")
        process = self._machine.runs.get(key_of(plan))
        return process.end if process and process.end else RunEnd(None, self._machine.now())

    async def discard(self, plan: JsonObject, *, processes: bool = True) -> None:
        await self._gates.pass_by("runs.discard")
        key = key_of(plan)
        self.discarded.append((key, processes))
        if key in self._machine.runs:
            if processes:
                self._machine.exit(key, 137)
            del self._machine.runs[key]
        await self._gates.pass_by("runs.discard done")

    async def forget(self, container_id: str) -> None:
        await self._gates.pass_by("runs.forget")
        self._machine.files.discard(container_id)
        self._machine.written.pop(container_id, None)
        await self._gates.pass_by("runs.forget done")

    async def written_bytes(self, container_id: str) -> int:
        await self._gates.pass_by("runs.written_bytes")
        return self._machine.written.get(container_id, 0)

    async def ps(self, plan: JsonObject, arguments: Sequence[str]) -> ProcessTable:
        await self._gates.pass_by("runs.ps")
        (process,) = await self.processes(plan)
        if "e" in arguments:
            raise PsRefused("'e' is not among the options that can be given")
        return ProcessTable(("PID", "CMD"), ((str(process.host_pid), " ".join(process.arguments)),))

    async def processes(self, plan: JsonObject) -> tuple[ProcessFacts, ...]:
        await self._gates.pass_by("runs.processes")
        key = key_of(plan)
        process = self._machine.runs.get(key)
        if process is None or process.gone:
            raise NotRunning(key.container_id)
        argv = next(spec.options.process.argv for spec in self.specs if spec.key == key)
        root = Person(0, "root", "root")
        return (
            ProcessFacts(
                pid=1,
                parent=0,
                process_group=1,
                host_pid=1000 + key.number,
                state="S",
                nice=0,
                command=argv[0].rpartition("/")[2],
                arguments=tuple(argv),
                started=self._machine.now(),
                elapsed_seconds=0,
                cpu_seconds=0,
                terminal=None,
                virtual_kib=0,
                resident_kib=0,
                user=root,
                real_user=root,
                group=root,
                real_group=root,
                groups=(root,),
                capabilities={},
            ),
        )

    async def namespaces(self, plan: JsonObject) -> Mapping[str, int]:
        process = self._machine.runs.get(key_of(plan))
        if process is None or process.gone:
            return {}
        kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
        return {kind: 4026532000 + number for number, kind in enumerate(kinds)}

    def facts(self, key: RunKey, options: ContainerOptions) -> RunFacts:
        process = self._machine.runs.get(key)
        made = key.container_id in self._machine.files
        home, run = f"/containers/{key.container_id}", f"/runs/{key.container_id}/{key.number}"
        root = options.process.user.partition(":")[0] in ("", "0", "root")
        return RunFacts(
            directory=home,
            hostname_file=f"{home}/hostname" if made else "",
            hosts_file=f"{home}/hosts" if made else "",
            resolv_conf=f"{home}/resolv.conf" if made else "",
            log=f"{home}/log" if options.logging.driver is LogDriver.K8S_FILE else "",
            pid_file=f"{run}/pid",
            monitor_pid_file=f"{run}/monitor",
            monitor_pid=2000 + key.number if process is not None else None,
            configuration=f"{run}/config.json" if process is not None else "",
            oci_version="1.0.2",
            cgroup=f"/fake/{key.container_id}",
            upper=f"{home}/upper",
            work=f"{home}/work",
            merged=f"{home}/merged",
            bounding=("CAP_CHOWN", "CAP_KILL"),
            effective=("CAP_CHOWN", "CAP_KILL") if root else (),
        )

    def news(self, listener: Callable[[RunKey], None]) -> None:
        self._machine.watcher = listener

    async def survey(self, plans: Mapping[RunKey, JsonObject]) -> Mapping[RunKey, Found]:
        self.surveys += 1
        found = {}
        for key in plans:
            process = self._machine.runs.get(key)
            found[key] = _FOUND[process.phase] if process else Found.NOTHING
            if found[key] in (Found.CREATED, Found.RUNNING, Found.PAUSED):
                self._machine.watched.add(key)
        return found

    async def strangers(self, known: frozenset[str]) -> frozenset[str]:
        return frozenset((self._machine.files | {key.container_id for key in self._machine.runs}) - known)

    def _deliver(self, key: RunKey, signal: int) -> None:
        process = self._machine.runs.get(key)
        if process is None or process.gone:
            raise NotRunning(key.container_id)
        self._machine.deliver(key, signal)
