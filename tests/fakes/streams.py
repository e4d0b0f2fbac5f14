"""Standard streams and exec sessions on a machine in memory."""

from __future__ import annotations

from apiserver.engine.containers.model import ExecSession
from apiserver.engine.ports.runs import NotRunning, RunEnd
from apiserver.engine.ports.streams import ExecStarted, ProcessStreams
from apiserver.jsonvalue import JsonObject
from tests.fakes.gates import Gates
from tests.fakes.machine import FakeStreams, Machine, Phase, Process
from tests.fakes.runs import key_of


class FakeStreamSource:
    def __init__(self, machine: Machine, gates: Gates | None = None) -> None:
        self._machine = machine
        self._gates = gates or Gates()

    async def attach(self, plan: JsonObject) -> ProcessStreams:
        await self._gates.pass_by("streams.attach")
        return FakeStreams(self._living(plan))

    async def resize(self, plan: JsonObject, height: int, width: int) -> None:
        self._living(plan).size = (height, width)

    def plan_exec(self, run_plan: JsonObject, session: ExecSession) -> JsonObject:
        return {"exec": session.id}

    async def start_exec(self, run_plan: JsonObject, session: ExecSession, *, attach: bool) -> ExecStarted:
        await self._gates.pass_by("streams.start_exec")
        assert session.plan, "the plan is recorded first"
        process = self._machine.execs[session.id] = Process(Phase.RUNNING)
        await self._gates.pass_by("streams.start_exec done")
        return ExecStarted(4711, self._machine.now(), FakeStreams(process) if attach else None)

    async def exec_end(self, run_plan: JsonObject, session: ExecSession) -> int | None:
        process = self._machine.execs.get(session.id)
        if process is None:
            return None
        await process.until_gone()
        return process.end.exit_code if process.end else None

    async def resize_exec(self, run_plan: JsonObject, session: ExecSession, height: int, width: int) -> None:
        process = self._machine.execs.get(session.id)
        if process is None or process.gone:
            raise NotRunning(session.id)
        process.size = (height, width)

    async def discard_exec(self, run_plan: JsonObject, session: ExecSession) -> None:
        await self._gates.pass_by("streams.discard_exec")
        process = self._machine.execs.pop(session.id, None)
        if process is not None and not process.gone:
            process.finish(RunEnd(137, self._machine.now()))

    def _living(self, plan: JsonObject) -> Process:
        process = self._machine.runs.get(key_of(plan))
        if process is None or process.gone:
            raise NotRunning(str(plan["container"]))
        return process
