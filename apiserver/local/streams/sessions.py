"""Exec sessions: further processes in a running container, each under a conmon of its own."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from apiserver.drivers.conmon import control
from apiserver.drivers.conmon.argv import ExecOptions
from apiserver.drivers.conmon.attach import Attachment
from apiserver.drivers.conmon.exec import ExecSessions, Session
from apiserver.drivers.linux.pidfd import Process
from apiserver.drivers.linux.remove_tree import remove_tree
from apiserver.engine.containers.model import ExecSession
from apiserver.engine.ports.runs import CommandUnusable, NotRunning, StartFailed
from apiserver.engine.ports.streams import ExecStarted
from apiserver.errors import HostError, InvalidParameter, RuntimeFailed
from apiserver.jsonvalue import JsonObject
from apiserver.local.paths import ExecPaths, write_whole
from apiserver.local.runs.identity import end_monitor, hold, remember
from apiserver.local.runs.plan import RunPlan
from apiserver.local.runs.service import LocalRuns
from apiserver.local.streams.connection import Connection
from apiserver.local.streams.exec_process import exec_process
from apiserver.local.unwritable import writing_below

log = Logger()


class ExecFailed(StartFailed):
    docker = "OCI runtime exec failed: {subject}"


class ExecUnusable(ExecFailed, CommandUnusable):
    """What was asked for cannot be run: no such program, or no such directory to run it in."""


class Sessions:
    def __init__(self, runs: LocalRuns, execs: ExecSessions, *, now: Callable[[], datetime]) -> None:
        self._runs = runs
        self._execs = execs
        self._now = now
        self._ends: dict[str, _End] = {}

    def plan(self, run: RunPlan, session: ExecSession) -> JsonObject:
        paths = run.run.exec(session.id)
        return {"directory": str(paths.directory), "monitorCgroup": run.monitor_cgroup}

    async def start(self, run: RunPlan, session: ExecSession, *, attach: bool) -> ExecStarted:
        first = hold(self._runs.reactor, run.run)
        if first is None:
            raise NotRunning(run.key.container_id)
        try:
            # What is mounted in there is the container's business: also one that never answers.
            value = await self._runs.threads.ask(
                f"the passwd and group of container {run.key.container_id}",
                exec_process,
                run.run,
                session,
                first.pid,
                self._runs.machine.capabilities,
            )
        except (FileNotFoundError, ProcessLookupError) as error:
            raise NotRunning(run.key.container_id) from error
        finally:
            first.close()
        paths = run.run.exec(session.id)
        try:
            with writing_below(paths.directory):
                run.run.execs.mkdir(mode=0o700, exist_ok=True)
                paths.make()
                write_whole(paths.process, json.dumps(value, ensure_ascii=False).encode(errors="surrogateescape"))
                running = await self._execs.start(
                    _options(run, paths, session, attach=attach),
                    size=session.console_size if session.terminal else None,
                )
        except RuntimeFailed as error:
            if not self._lives(run):
                raise NotRunning(run.key.container_id) from error  # it has ended meanwhile, whatever the runtime says
            kind = ExecUnusable if isinstance(error, InvalidParameter) else ExecFailed
            to_docker = f"OCI runtime exec failed: {error.subject}"
            raise kind(f"{run.runtime.name}: {error.said}", error.exit_code, to_docker) from error
        started = self._now()
        with suppress(OSError):  # a short one is gone already, and then nobody needs to find it
            remember(paths, running.pid)
        self._runs.placing.begin(run, paths)
        self._ends[session.id] = _End(running)
        streams = self._connection(running.stdio, running.pid) if running.stdio is not None else None
        return ExecStarted(pid=running.pid, at=started, streams=streams)

    def _lives(self, run: RunPlan) -> bool:
        first = hold(self._runs.reactor, run.run)
        if first is not None:
            first.close()
        return first is not None

    def _connection(self, stdio: Attachment, pid: int) -> Connection:
        """The streams, which are drained once the process has ended, whether or not their client reads.

        Its conmon reaps it only after it has got rid of the output; and until then the kernel does not let the
        container's first process go either.
        """
        try:
            process = Process(self._runs.reactor, pid)
        except ProcessLookupError:
            gone = Connection(stdio)
            gone.drain()
            return gone
        streams = Connection(stdio, lambda _: process.close())

        def ended(_: None) -> None:
            streams.drain()
            process.close()

        process.ended().addCallback(ended)
        return streams

    async def end(self, run: RunPlan, session: ExecSession) -> int | None:
        known = self._ends.get(session.id)
        code = await known.wait() if known is not None else None
        if code is not None:
            return code
        # Of an earlier daemon, or its conmon was killed: conmon's files are all there is.
        recorded = await self._runs.exit_files.end(run.run.exec(session.id), limit=None)
        return recorded.exit_code if recorded is not None else None

    def resize(self, run: RunPlan, session: ExecSession, height: int, width: int) -> None:
        control.resize(run.run.exec(session.id).control, height, width)

    async def discard(self, run: RunPlan, session: ExecSession) -> None:
        paths = run.run.exec(session.id)
        process = hold(self._runs.reactor, paths)
        if process is not None:
            try:
                process.signal(signal.SIGKILL)
                await process.ended()
            except ProcessLookupError:
                log.debug("exec session {id} has just ended", id=session.id)
            finally:
                process.close()
        end_monitor(self._runs.reactor, paths)
        known = self._ends.pop(session.id, None)
        if known is not None:
            known.close()
        try:
            await self._runs.threads.run(remove_tree, paths.directory)
        except OSError as error:
            raise HostError(f"the files of exec session {session.id} are not deleted: {error}") from error


class _End:
    """The end of a session of ours: conmon says it once, and any number may wait for it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiters: list[Deferred[int | None]] = []
        self._code: int | None = None
        self._over = False
        Deferred.fromCoroutine(session.exit_code()).addCallbacks(self._ended, self._failed)

    def wait(self) -> Deferred[int | None]:
        waiter: Deferred[int | None] = Deferred(lambda gone: self._waiters.remove(gone))
        if self._over:
            waiter.callback(self._code)
        else:
            self._waiters.append(waiter)
        return waiter

    def close(self) -> None:
        # The streams are their reader's: what a short process said may still lie in them.
        self._session.forget()

    def _failed(self, failure: object) -> None:
        log.warn("the end of an exec session was not told: {failure}", failure=failure)
        self._ended(None)

    def _ended(self, code: int | None) -> None:
        self._over, self._code = True, code
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(code)


def now() -> datetime:
    return datetime.now(UTC)


def _options(run: RunPlan, paths: ExecPaths, session: ExecSession, *, attach: bool) -> ExecOptions:
    return ExecOptions(
        id=run.key.container_id,
        name=session.id,
        runtime=run.runtime,
        runtime_root=run.runtime_root,
        directory=paths.directory,
        exit_dir=paths.exit_dir,
        persist_dir=paths.persist_dir,
        terminal=session.terminal,
        stdin=session.attach_stdin and attach,
        exec_id=session.id,
        process_file=paths.process,
        attach=attach,
    )
