"""Sending a signal to a container."""

from __future__ import annotations

from msgspec.structs import replace
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from apiserver.engine.containers.exits import Exits
from apiserver.engine.containers.failures import cannot_kill
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import Container
from apiserver.engine.containers.signals import signal_number
from apiserver.engine.events.model import Action
from apiserver.engine.locks import Locks
from apiserver.engine.ports.runs import NotRunning, RunKey, Runs
from apiserver.errors import HostError

SIGKILL = 9
LIMIT = 10.0
"""Seconds that a killed process may take to go: a kernel that is in the middle of something keeps it."""


class Kill:
    def __init__(self, ledger: Ledger, locks: Locks, runs: Runs, exits: Exits, clock: IReactorTime) -> None:
        self._ledger = ledger
        self._locks = locks
        self._runs = runs
        self._exits = exits
        self._clock = clock

    async def kill(self, name_or_id: str, signal: str = "") -> None:
        """Send a signal to its first process; SIGKILL waits for the end.

        Args:
            signal: a name (`HUP`, `SIGHUP`) or a number as text; empty: SIGKILL. 0 is none: who asks with it whether
                a process lives must not end it.

        Raises:
            ContainerNotRunning
            InvalidParameter: no such signal.
        """
        number = SIGKILL if not signal else signal_number(signal)
        container_id = self._ledger.registry.get(name_or_id).id
        async with self._locks.container(container_id, "kill"):
            container = self._ledger.registry.by_id(container_id)
            run = container.run
            if not container.alive or run is None:
                raise cannot_kill(container)
            killed = self._ledger.event(container, Action.KILL, signal=str(number))
            if number == SIGKILL:
                await self._ledger.record(replace(container, stopped_by_user=True), killed)
            else:
                try:
                    await self._runs.signal(run.plan, number)
                except NotRunning:
                    raise cannot_kill(container) from None
                by_user = container.stopped_by_user or number == _stop_signal(container)
                await self._ledger.record(replace(container, stopped_by_user=by_user), killed)
        if number == SIGKILL:
            await self.until_gone(container)

    async def until_gone(self, container: Container) -> None:
        """Kill a container's newest run and wait until it is cleaned up. No lock may be held.

        Raises:
            HostError: its process does not go.
        """
        run = container.run
        assert run is not None
        gone = Deferred.fromCoroutine(self._runs.stop(run.plan, SIGKILL, 0))
        try:
            await gone.addTimeout(LIMIT, self._clock)
        except NotRunning:
            pass  # it ended by itself in between
        except TimeoutError:
            raise HostError(f"tried to kill container {container.id}, but did not receive an exit event") from None
        await self._exits.settle(RunKey(container.id, run.number))


def _stop_signal(container: Container) -> int:
    return signal_number(container.options.process.stop_signal or "SIGTERM")
