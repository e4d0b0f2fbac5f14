"""Exec sessions: further processes in a running container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from msgspec.structs import replace
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.engine.containers.exec_streams import ExecStreams
from apiserver.engine.containers.failures import ExecStarted, cannot_exec, not_running, paused
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import NOT_RUN, Container, ExecSession, State
from apiserver.engine.containers.options.process import (
    LONGEST_PATH,
    check_env,
    check_user,
    check_working_dir,
    too_long,
)
from apiserver.engine.containers.resize import check_size
from apiserver.engine.events.model import Action, Event
from apiserver.engine.locks import Locks
from apiserver.engine.names import new_id
from apiserver.engine.ports.records import Change, DeleteExec, PutExec
from apiserver.engine.ports.runs import NotRunning, StartFailed
from apiserver.engine.ports.streams import ProcessStreams, Streams
from apiserver.errors import EngineError, InvalidParameter, NoSuchContainer, NoSuchExec

log = Logger()

KEPT = timedelta(minutes=5)
"""For how long an ended session can still be inspected."""
KILLED = 137
"""The kernel kills what is left in a container when its first process ends."""
LAST_WORD = 1.0
"""Seconds in which an exec's own end is recorded after its container's."""


class Execs:
    def __init__(
        self,
        ledger: Ledger,
        locks: Locks,
        streams: Streams,
        clock: IReactorTime,
        remembered: Iterable[ExecSession] = (),
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._streams = streams
        self._clock = clock
        self._sessions = {session.id: session for session in remembered}
        self._waiting: dict[str, list[Deferred[None]]] = {}

    def get(self, exec_id: str) -> ExecSession:
        """By its whole id, until 5 minutes after its end.

        Raises:
            NoSuchExec
        """
        session = self._sessions.get(exec_id)
        if session is None or self._is_old(session):
            raise NoSuchExec(exec_id)
        return session

    def startable(self, exec_id: str) -> ExecSession:
        """The session, if it could be started now: what a client has to hear before its connection is taken over.

        Raises:
            NoSuchExec
            Conflict: it was started before, or the container does not run, or is paused.
        """
        session = self.get(exec_id)
        container = self._running(self._ledger.registry.by_id(session.container_id))
        if session.started is not None:
            raise ExecStarted(f"exec session {session.id} has already run")
        if container.run is None or container.run.number != session.run:
            raise not_running(container)
        return session

    def of(self, container_id: str) -> tuple[ExecSession, ...]:
        """The sessions of a container that have not ended, for its inspect."""
        return tuple(s for s in self._sessions.values() if s.container_id == container_id and s.finished is None)

    async def create(
        self,
        name_or_id: str,
        argv: tuple[str, ...],
        *,
        env: tuple[str, ...] = (),
        user: str = "",
        working_dir: str = "",
        terminal: bool = False,
        attach_stdin: bool = False,
        attach_stdout: bool = False,
        attach_stderr: bool = False,
        privileged: bool = False,
        detach_keys: str = "",
        console_size: tuple[int, int] | None = None,
    ) -> ExecSession:
        """Record what is to be run; nothing is started.

        Raises:
            ContainerNotRunning, ContainerPaused
            InvalidParameter
        """
        container = self._running(self._ledger.registry.get(name_or_id))
        if not argv or any("\0" in word for word in argv):
            raise InvalidParameter("No exec command specified" if not argv else "Cmd: a word of the command holds NUL")
        if too_long(argv[0]):
            raise InvalidParameter(f"Cmd: the name of a program has at most {LONGEST_PATH} bytes")
        check_user(user)
        check_working_dir(working_dir)
        if console_size is not None:
            check_size(*console_size)
        assert container.run is not None
        session = ExecSession(
            id=new_id(),
            container_id=container.id,
            run=container.run.number,
            created=self._ledger.now(),
            argv=argv,
            env=check_env(env, complete=True),
            user=user,
            working_dir=working_dir,
            terminal=terminal,
            attach_stdin=attach_stdin,
            attach_stdout=attach_stdout,
            attach_stderr=attach_stderr,
            privileged=privileged,
            detach_keys=detach_keys,
            console_size=console_size,
        )
        old = [s.id for s in self._sessions.values() if self._is_old(s)]
        dropped = [DeleteExec(exec_id) for exec_id in old]
        await self._ledger.commit(*dropped, PutExec(session), self._event(container, Action.EXEC_CREATE, session))
        for exec_id in old:
            self._sessions.pop(exec_id, None)
        if self._ledger.registry.find(container.id) is None:  # removed meanwhile, and its sessions before this one
            await self._ledger.commit(DeleteExec(session.id))
            raise NoSuchContainer(name_or_id)
        self._sessions[session.id] = session
        return session

    async def start(
        self,
        exec_id: str,
        *,
        detach: bool = False,
        terminal: bool | None = None,
        console_size: tuple[int, int] | None = None,
    ) -> ProcessStreams | None:
        """Run it; None where detached, else its streams, which end after its end is recorded.

        Close the streams in any case.

        Args:
            terminal: None: as created.

        Raises:
            NoSuchExec
            Conflict: it was started before, or the container does not run, or is paused.
            StartFailed: the session has ended with its exit code, 126 or 127.
        """
        if console_size is not None:
            check_size(*console_size)
        async with self._locks.container(self.get(exec_id).container_id, "exec"):
            session = self.startable(exec_id)
            container = self._ledger.registry.by_id(session.container_id)
            run = container.run
            assert run is not None
            session = replace(
                session,
                terminal=session.terminal if terminal is None else terminal,
                console_size=console_size or session.console_size,
                started=self._ledger.now(),
                running=True,
            )
            session = await self._put(replace(session, plan=self._streams.plan_exec(run.plan, session)))
            try:
                made = await self._streams.start_exec(run.plan, session, attach=not detach)
            except StartFailed as failed:
                await self._end(container, session, failed.exit_code, error=failed.subject)
                raise
            except NotRunning as failed:
                await self._end(container, session, None, error=str(failed))
                raise not_running(container) from None
            except BaseException as failed:
                await self._end(container, session, NOT_RUN, error=str(failed))
                raise
            started = self._event(container, Action.EXEC_START, session)
            try:
                session = await self._put(replace(session, pid=made.pid, started=made.at), started)
            except BaseException:
                if made.streams is not None:
                    made.streams.close()
                raise
            finally:
                self._watch(container, session)
        return None if made.streams is None else ExecStreams(made.streams, session, lambda: self._ended(session.id))

    def detached(self, exec_id: str) -> None:
        """A client has left by the keys for it, and the process runs on."""
        if (session := self._sessions.get(exec_id)) is None:
            return
        if container := self._ledger.registry.find(session.container_id):
            self._ledger.tell(self._event(container, Action.EXEC_DETACH, session))

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """Raises: NoSuchExec, Conflict (it does not run), InvalidParameter."""
        check_size(height, width)
        session = self.get(exec_id)
        container = self._ledger.registry.find(session.container_id)
        if container is None or container.run is None or not session.running:
            raise ExecStarted(f"exec session {session.id} is not running")
        try:
            await self._streams.resize_exec(container.run.plan, session, height, width)
        except NotRunning:
            raise ExecStarted(f"exec session {session.id} is not running") from None

    async def remove(self, exec_id: str, *, force: bool = False) -> None:
        """Forget a session.

        Args:
            force: kill it first where it runs.

        Raises:
            NoSuchExec
            ExecStarted: it runs, and not forced.
        """
        async with self._locks.container(self.get(exec_id).container_id, "removal of an exec session"):
            session = self.get(exec_id)
            if session.running:
                if not force:
                    raise ExecStarted(f"exec session {session.id} is still running, cannot remove")
                await self._end(self._ledger.registry.by_id(session.container_id), session, KILLED)
            await self._ledger.commit(DeleteExec(session.id))
            del self._sessions[session.id]

    async def last_words(self, container: Container) -> Mapping[str, int]:
        """The codes of the sessions that ended with their container, for `end_with`; no lock is held for this."""
        sessions = [session for session in self._in_run(container) if session.running]
        words = [Deferred.fromCoroutine(self._last_word(container, session)) for session in sessions]
        said = {session.id: await word for session, word in zip(sessions, words, strict=True)}
        return {exec_id: code for exec_id, code in said.items() if code is not None}

    async def end_with(self, container: Container, words: Mapping[str, int]) -> None:
        """A container's run has ended, and so have the sessions in it. The caller holds its lock.

        Args:
            words: of `last_words`; who has none there was killed.
        """
        for session in self._in_run(container):
            await self._end(container, session, words.get(session.id, KILLED) if session.running else None)

    def _in_run(self, container: Container) -> list[ExecSession]:
        run = container.run
        return [s for s in self.of(container.id) if run is not None and s.run <= run.number]

    async def reconcile(self) -> None:
        """After the containers: sessions of running ones are watched again, others have ended."""
        for session in tuple(self._sessions.values()):
            container = self._ledger.registry.find(session.container_id)
            if container is None:
                await self._ledger.commit(DeleteExec(session.id))
                del self._sessions[session.id]
            elif session.finished is not None:
                continue
            elif not container.alive or container.run is None or container.run.number != session.run:
                await self._put(replace(session, running=False, finished=self._ledger.now()))
            elif session.running:
                self._watch(container, session)

    def forgotten(self, container_id: str) -> tuple[Change, ...]:
        """What a removal of a container commits."""
        return tuple(DeleteExec(s.id) for s in self._sessions.values() if s.container_id == container_id)

    def forget(self, container_id: str) -> None:
        """The container is removed."""
        for session in [s for s in self._sessions.values() if s.container_id == container_id]:
            del self._sessions[session.id]

    async def _last_word(self, container: Container, session: ExecSession) -> int | None:
        assert container.run is not None
        ended = Deferred.fromCoroutine(self._streams.exec_end(container.run.plan, session))
        try:
            return await ended.addTimeout(LAST_WORD, self._clock)
        except (TimeoutError, EngineError):
            return None

    def _watch(self, container: Container, session: ExecSession) -> None:
        async def watch() -> None:
            assert container.run is not None
            code = await self._streams.exec_end(container.run.plan, session)
            async with self._locks.container(container.id, "the end of an exec session"):
                now = self._sessions.get(session.id)
                if now is not None and now.finished is None:
                    await self._end(container, now, code)

        def unwatched(failure: Failure) -> None:
            log.failure("the end of exec session {id} is not recorded", failure, id=session.id)

        Deferred.fromCoroutine(watch()).addErrback(unwatched)

    async def _end(self, container: Container, session: ExecSession, code: int | None, error: str = "") -> None:
        """Record the end of a session and undo what it had; under the container's lock."""
        ended = replace(
            session, running=False, finished=self._ledger.now(), exit_code=code, pid=None, error=error, plan={}
        )
        if session.plan:
            assert container.run is not None
            try:
                await self._streams.discard_exec(container.run.plan, session)
            except EngineError:
                # Its files lie in the run's own directory, which goes with the run.
                log.failure("exec session {id} left something", id=session.id)
        told: tuple[Event, ...] = ()
        if error:
            told = (self._event(container, Action.EXEC_FAILED, session),)
        elif session.started is not None:
            exit_code = "255" if code is None else str(code)
            told = (self._event(container, Action.EXEC_DIED, session, exitCode=exit_code),)
        await self._put(ended, *told)
        for waiter in self._waiting.pop(session.id, []):
            waiter.callback(None)

    async def _ended(self, exec_id: str) -> None:
        session = self._sessions.get(exec_id)
        if session is None or session.finished is not None:
            return
        waiting = self._waiting.setdefault(exec_id, [])
        waiter: Deferred[None] = Deferred(waiting.remove)
        waiting.append(waiter)
        await waiter

    async def _put(self, session: ExecSession, *changes: Change) -> ExecSession:
        await self._ledger.commit(PutExec(session), *changes)
        self._sessions[session.id] = session
        return session

    def _event(self, container: Container, action: Action, session: ExecSession, **attributes: str) -> Event:
        container = self._ledger.registry.find(container.id) or container  # which may be called otherwise by now
        return self._ledger.event(container, action, execID=session.id, command=_shown(session.argv), **attributes)

    def _running(self, container: Container) -> Container:
        if container.state is State.PAUSED:
            raise paused(container, "exec")
        if not container.alive or container.run is None:
            raise cannot_exec(container)
        return container

    def _is_old(self, session: ExecSession) -> bool:
        return session.finished is not None and session.finished + KEPT <= self._ledger.now()


def _shown(argv: tuple[str, ...]) -> str:
    """A program and its arguments; Docker has the blank between them also where there are none."""
    return f"{argv[0]} {' '.join(argv[1:])}"
