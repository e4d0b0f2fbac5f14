"""Waiting for the end, the removal, or another state of a container."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from apiserver.engine.containers.model import Container, State
from apiserver.engine.containers.registry import Registry
from apiserver.engine.ports.records import Change, DropExitCodes, PutExitCode
from apiserver.errors import NoSuchContainer

KEPT = timedelta(minutes=5)
"""For how long the exit code of a removed container can still be asked for."""


class Condition(Enum):
    NOT_RUNNING = "not-running"
    NEXT_EXIT = "next-exit"
    REMOVED = "removed"


class WaitResult(Struct, frozen=True):
    """How it ended.

    Attributes:
        code: None where it is unknown (255 to Docker, -1 to libpod).
        error: why it could not be started, or removed; empty in the good case.
    """

    code: int | None
    error: str = ""


class Wait:
    """Who waits for what; told by the services that bring it about.

    Args:
        remembered: exit codes of containers that an earlier daemon removed.
        wall_clock: whose `seconds()` is the time of day.
    """

    def __init__(self, registry: Registry, remembered: tuple[PutExitCode, ...], wall_clock: IReactorTime) -> None:
        self._registry = registry
        self._clock = wall_clock
        self._waiting: dict[str, list[tuple[Condition, Deferred[WaitResult]]]] = {}
        self._codes = {code.container_id: code for code in remembered}
        self._entering: dict[str, list[tuple[frozenset[State], Deferred[Container]]]] = {}
        registry.follow(self._shown)

    def watch(self, name_or_id: str, condition: Condition) -> Deferred[WaitResult]:
        """Fires when the condition holds; what happens after this call is not missed. Cancel it to leave.

        A container that was never started is not running: code 0. A removed one is known by its whole id, 5 minutes
        long, to who waits for its removal.

        Raises:
            NoSuchContainer, AmbiguousPrefix
        """
        try:
            container = self._registry.get(name_or_id)
        except NoSuchContainer:
            if condition is Condition.REMOVED and (code := self.code_of_removed(name_or_id)) is not None:
                return _fired(WaitResult(code.exit_code))
            raise
        if condition is Condition.NOT_RUNNING and _rests(container):
            return _fired(_result(container))
        waiting = self._waiting.setdefault(container.id, [])

        def leave(deferred: Deferred[WaitResult]) -> None:
            waiting.remove(entry)

        entry: tuple[Condition, Deferred[WaitResult]] = (condition, Deferred(leave))
        waiting.append(entry)
        return entry[1]

    def enter(self, container_id: str, states: frozenset[State]) -> Deferred[Container]:
        """Fires with the container once it is in one of the states, however shortly. Cancel it to leave.

        Raises:
            NoSuchContainer: also, by the Deferred, where it is removed without having been in any of them.
        """
        container = self._registry.by_id(container_id)
        if container.state in states:
            at_once: Deferred[Container] = Deferred()
            at_once.callback(container)
            return at_once
        entering = self._entering.setdefault(container_id, [])

        def leave(deferred: Deferred[Container]) -> None:
            entering.remove(entry)
            if not entering and self._entering.get(container_id) is entering:
                del self._entering[container_id]

        entry: tuple[frozenset[State], Deferred[Container]] = (states, Deferred(leave))
        entering.append(entry)
        return entry[1]

    def _shown(self, container_id: str, container: Container | None) -> None:
        for entry in list(self._entering.get(container_id, ())):
            states, deferred = entry
            if container is None or container.state in states:
                entering = self._entering.get(container_id, [])
                if entry not in entering:
                    continue  # somebody who has just been told has cancelled it
                entering.remove(entry)
                if not entering:
                    del self._entering[container_id]
                deferred.errback(NoSuchContainer(container_id)) if container is None else deferred.callback(container)

    def code_of_removed(self, container_id: str) -> PutExitCode | None:
        """How a container ended that was removed in the last 5 minutes."""
        code = self._codes.get(container_id)
        return code if code is not None and code.removed + KEPT > self._now() else None

    def ended(self, container: Container) -> None:
        """A run has ended and is cleaned up."""
        self._tell(container.id, _result(container), {Condition.NOT_RUNNING, Condition.NEXT_EXIT})

    def not_started(self, container: Container) -> None:
        """A start failed: it still does not run."""
        self._tell(container.id, _result(container), {Condition.NOT_RUNNING})

    def removal(self, container: Container) -> tuple[Change, ...]:
        """What is to be committed with a removal: its exit code, and that old ones may go."""
        code = PutExitCode(container.id, _result(container).code, self._now())
        return (code, DropExitCodes(self._now() - KEPT))

    def removed(self, container: Container) -> None:
        """It is gone, and committed."""
        limit = self._now() - KEPT
        self._codes = {i: code for i, code in self._codes.items() if code.removed > limit}
        # As Docker has it, a removal that went well is no error, also after a start that did not.
        result = WaitResult(_result(container).code)
        self._codes[container.id] = PutExitCode(container.id, result.code, self._now())
        self._tell(container.id, result, frozenset(Condition))
        self._waiting.pop(container.id, None)

    def removal_failed(self, container: Container, why: str) -> None:
        """It should have removed itself and could not."""
        self._tell(container.id, WaitResult(_result(container).code, why), {Condition.REMOVED})

    def _tell(self, container_id: str, result: WaitResult, conditions: set[Condition] | frozenset[Condition]) -> None:
        waiting = self._waiting.get(container_id, [])
        told = [entry for entry in waiting if entry[0] in conditions]
        waiting[:] = [entry for entry in waiting if entry[0] not in conditions]
        for _, deferred in told:
            deferred.callback(result)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.seconds(), UTC)


def _rests(container: Container) -> bool:
    """It neither runs nor is being started or cleaned up."""
    settled = container.run is None or container.run.ended or container.state is State.INITIALIZED
    return settled and not container.alive and container.state is not State.STOPPED


def _result(container: Container) -> WaitResult:
    if container.run is not None and not container.run.ended:
        return WaitResult(0)  # it was initialized, and has not run
    return WaitResult(container.run.exit_code, container.run.error) if container.run else WaitResult(0)


def _fired(result: WaitResult) -> Deferred[WaitResult]:
    deferred: Deferred[WaitResult] = Deferred()
    deferred.callback(result)
    return deferred
