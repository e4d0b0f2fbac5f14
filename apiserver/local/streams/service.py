"""The port `Streams` on this machine."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater

from apiserver.drivers.conmon import control
from apiserver.drivers.conmon.attach import Attachment, attach
from apiserver.drivers.conmon.exec import ExecSessions
from apiserver.engine.containers.model import ExecSession
from apiserver.engine.ports.runs import NotRunning, RunKey
from apiserver.engine.ports.streams import ExecStarted, ProcessStreams
from apiserver.jsonvalue import JsonObject
from apiserver.local.runs.plan import RunPlan
from apiserver.local.runs.service import LocalRuns
from apiserver.local.streams.connection import Connection
from apiserver.local.streams.sessions import Sessions, now

_TRIES = 50
_PAUSE = 0.02


class LocalStreams:
    def __init__(self, reactor: Any, runs: LocalRuns) -> None:
        self._reactor = reactor
        self._sessions = Sessions(runs, ExecSessions(runs.programs), now=now)
        self._open: dict[RunKey, set[Connection]] = {}
        runs.changes.tell(self._run_ended)

    async def attach(self, plan: JsonObject) -> ProcessStreams:
        run = RunPlan.from_json(plan)
        attachment = await self._connect(run)
        key = run.key
        connection = Connection(attachment, lambda gone: self._forget(key, gone))
        self._open.setdefault(key, set()).add(connection)
        return connection

    async def resize(self, plan: JsonObject, height: int, width: int) -> None:
        control.resize(RunPlan.from_json(plan).run.control, height, width)

    def plan_exec(self, run_plan: JsonObject, session: ExecSession) -> JsonObject:
        return self._sessions.plan(RunPlan.from_json(run_plan), session)

    async def start_exec(self, run_plan: JsonObject, session: ExecSession, *, attach: bool) -> ExecStarted:
        return await self._sessions.start(RunPlan.from_json(run_plan), session, attach=attach)

    async def exec_end(self, run_plan: JsonObject, session: ExecSession) -> int | None:
        return await self._sessions.end(RunPlan.from_json(run_plan), session)

    async def resize_exec(self, run_plan: JsonObject, session: ExecSession, height: int, width: int) -> None:
        self._sessions.resize(RunPlan.from_json(run_plan), session, height, width)

    async def discard_exec(self, run_plan: JsonObject, session: ExecSession) -> None:
        await self._sessions.discard(RunPlan.from_json(run_plan), session)

    async def _connect(self, run: RunPlan) -> Attachment:
        for _ in range(_TRIES):
            try:
                return attach(self._reactor, run.run.attach_socket)
            except BlockingIOError:
                # Many clients at once: conmon takes them one by one.
                await deferLater(self._reactor, _PAUSE)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise NotRunning(run.key.container_id) from error
        raise NotRunning(run.key.container_id)

    def _run_ended(self, key: RunKey) -> None:
        for connection in list(self._open.get(key, ())):
            connection.drain()

    def _forget(self, key: RunKey, connection: Connection) -> None:
        connections = self._open.get(key, set())
        connections.discard(connection)
        if not connections:
            self._open.pop(key, None)
