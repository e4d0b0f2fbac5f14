"""The one exit path: what happens, once for each run, when its first process is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.engine.containers.attach import Attach
from apiserver.engine.containers.collaborators import Background
from apiserver.engine.containers.execs import Execs
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import ALIVE, Container, State
from apiserver.engine.containers.removal import Removal
from apiserver.engine.containers.undo import Undo
from apiserver.engine.containers.wait import Wait
from apiserver.engine.events.model import Action, Event
from apiserver.engine.locks import Locks
from apiserver.engine.ports.logs import LogSource
from apiserver.engine.ports.runs import RunEnd, RunKey, Runs

log = Logger()

RETRY = 5.0
"""Seconds until an end that could not be recorded, or cleaned up after, is tried again."""

LONGEST_RETRY = 300.0
"""Seconds between two tries to clean up, of which each waits twice as long as the one before."""

_ENDING = ALIVE | {State.INITIALIZED, State.STOPPED}


class Exits:
    def __init__(
        self,
        ledger: Ledger,
        locks: Locks,
        runs: Runs,
        undo: Undo,
        logs: LogSource,
        execs: Execs,
        attach: Attach,
        wait: Wait,
        removal: Removal,
        background: Background,
        clock: IReactorTime,
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._runs = runs
        self._undo = undo
        self._logs = logs
        self._execs = execs
        self._attach = attach
        self._wait = wait
        self._removal = removal
        self._background = background
        self._clock = clock
        self._settling: dict[RunKey, list[Deferred[None]]] = {}
        self._kept: Counter[str] = Counter()
        self._delays: dict[RunKey, float] = {}
        self._due: set[RunKey] = set()

    def news(self, key: RunKey) -> None:
        """A run's first process is gone. Nobody waits for the answer; news of an older run changes nothing."""

        async def settle() -> None:
            with self._background.hold(f"end of container {key.container_id[:12]}"):
                await self.settle(key)

        def unsettled(failure: Failure) -> None:
            log.failure("the end of container {id} is not settled yet", failure, id=key.container_id)

        Deferred.fromCoroutine(settle()).addErrback(unsettled)

    async def settle(self, key: RunKey, known: RunEnd | None = None, *, rebooted: bool = False) -> None:
        """See that the end of a run is recorded and cleaned up; fires when it is, whoever does it.

        Args:
            known: how it ended, where that need not be asked.

        Raises:
            HostError, LockTimeout: not now; it is tried again by itself.
        """
        if (joined := self._settling.get(key)) is not None:
            mine: Deferred[None] = Deferred()
            joined.append(mine)
            await mine
            return
        waiting = self._settling[key] = []
        try:
            await self._settle(key, known, rebooted)
        except BaseException:
            del self._settling[key]
            self._clock.callLater(RETRY, self.news, key)
            failure = Failure()
            for each in waiting:
                each.errback(failure)
            raise
        del self._settling[key]
        for each in waiting:
            each.callback(None)

    @contextmanager
    def keeping(self, container_id: str) -> Generator[None, None, None]:
        """While this lasts, the end of a run does not remove the container: it is about to be started again."""
        self._kept[container_id] += 1
        try:
            yield
        finally:
            self._kept[container_id] -= 1
            if not self._kept[container_id]:
                del self._kept[container_id]

    async def _settle(self, key: RunKey, known: RunEnd | None, rebooted: bool) -> None:
        container = self._newest(key)
        if container is None or container.run is None:
            return
        end = known
        if end is None and not container.run.ended:
            # Its recording may take seconds: not under the lock.
            end = await self._runs.end(container.run.plan)
        words = await self._execs.last_words(container)
        async with self._locks.container(key.container_id, "the end of its run"):
            container = self._newest(key)
            # Before the lock it may have been about to be recorded as running.
            if container is not None and container.state in _ENDING:
                await self.finish(container, end, words, rebooted=rebooted)

    def _newest(self, key: RunKey) -> Container | None:
        """The container, if the run is its newest and not done with."""
        container = self._ledger.registry.find(key.container_id)
        if container is None or container.run is None or container.run.number != key.number:
            return None
        return None if container.run.ended and container.state is not State.STOPPED else container

    async def finish(
        self, container: Container, end: RunEnd | None, words: Mapping[str, int] = {}, *, rebooted: bool = False
    ) -> None:
        """Record how a run ended, clean up, tell who waits. The caller holds the container's lock.

        Args:
            words: the codes of its exec sessions, as far as they are known.

        Raises:
            HostError: the end could not be recorded. What could not be cleaned up is logged; the container stays
                `stopped` then, until it is tried again, or the next start, removal or reconcile cleans up.
        """
        run = container.run
        assert run is not None
        key = RunKey(container.id, run.number)
        if not run.ended:
            assert end is not None
            run = replace(
                run, ended=True, exit_code=end.exit_code, finished=end.finished, oom_killed=end.oom_killed, pid=None
            )
            # The code is on disk before the files that hold it are discarded.
            stopped = (Action.STOP,) if container.state is State.STOPPING else ()
            ran = container.state is not State.INITIALIZED
            container = container.become(State.STOPPED, run=run)
            told = (self._ledger.event(container, action) for action in stopped)
            container = await self._ledger.record(container, *self._deaths(container, ran), *told)
        self._logs.ended(container.id)
        self._attach.gone(container.id)
        ended = container
        auto_remove = container.options.lifecycle.auto_remove and not self._kept[container.id]
        try:
            await self._execs.end_with(container, words)
            run = await self._undo.undo(container, rebooted=rebooted)
            if auto_remove:
                container = container.become(State.REMOVING, run=run, remove_volumes=True)
            else:
                container = container.become(State.EXITED, run=run)
            container = await self._ledger.record(container, *self._ledger.leaving(ended))
        except CancelledError:
            raise  # the service ends: who comes after it goes on
        except Exception:  # noqa: BLE001  # whatever it is, who waits for the end is told of it
            log.failure("container {id} has ended and could not be cleaned up yet", id=container.id)
            self._wait.ended(container)
            self._clean_up_later(key)
            return
        self._delays.pop(key, None)
        self._wait.ended(container)
        if auto_remove:
            await self._remove(container, rebooted)

    def _clean_up_later(self, key: RunKey) -> None:
        if key in self._due:
            return
        self._due.add(key)
        delay = self._delays[key] = min(2 * self._delays.get(key, RETRY / 2), LONGEST_RETRY)
        self._clock.callLater(delay, self._clean_up, key)

    def _clean_up(self, key: RunKey) -> None:
        self._due.discard(key)
        if self._newest(key) is None:
            self._delays.pop(key, None)  # somebody else has
        else:
            self.news(key)

    async def _remove(self, container: Container, rebooted: bool) -> None:
        try:
            await self._removal.finish(container, volumes=True, rebooted=rebooted)
        except Exception as reason:  # noqa: BLE001  # whatever it is, who waits for the removal is told
            log.failure("container {id} could not remove itself", id=container.id)
            self._wait.removal_failed(container, str(reason))

    def _deaths(self, container: Container, ran: bool) -> tuple[Event, ...]:
        run = container.run
        assert run is not None
        # 255 is how Docker says that nobody knows.
        code = "255" if run.exit_code is None else str(run.exit_code)
        # Of one that only waited the start is the run's before.
        started = run.started if ran else None
        seconds = int((run.finished - started).total_seconds()) if run.finished and started else 0
        died = self._ledger.event(container, Action.DIED, exitCode=code, execDuration=str(max(0, seconds)))
        return (self._ledger.event(container, Action.OOM), died) if run.oom_killed else (died,)
