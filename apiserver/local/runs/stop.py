"""Signals to a run's first process; its end by force where it does not listen."""

from __future__ import annotations

import signal as signals

from twisted.internet.defer import TimeoutError as DeferredTimeout

from apiserver.drivers.linux.pidfd import Process
from apiserver.drivers.linux.readiness import Reactor
from apiserver.engine.ports.runs import NotRunning
from apiserver.errors import HostError
from apiserver.local.runs.identity import hold
from apiserver.local.runs.plan import RunPlan

KILLED_LIMIT = 10.0
"""Seconds that a killed process may take to go: one that is frozen, or waits for a disk, does not until that ends."""


class Stop:
    """By pidfd: no process is started, and no other process is ever hit."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    async def signal(self, plan: RunPlan, number: int) -> None:
        process = self._hold(plan)
        try:
            process.signal(number)
        except ProcessLookupError:
            raise NotRunning(plan.key.container_id) from None
        finally:
            process.close()

    async def stop(self, plan: RunPlan, number: int, timeout: float | None) -> None:
        try:
            process = self._hold(plan)
        except NotRunning:
            return
        try:
            if timeout != 0:
                process.signal(number)
                ended = process.ended()
                if timeout is not None:
                    ended.addTimeout(timeout, self._reactor)  # type: ignore[arg-type]  # it needs callLater alone
                try:
                    await ended
                except DeferredTimeout:
                    pass  # it ignores the signal, as shells do when they are process 1
                else:
                    return
            process.signal(signals.SIGKILL)
            await process.ended().addTimeout(KILLED_LIMIT, self._reactor)  # type: ignore[arg-type]  # as above
        except ProcessLookupError:
            return
        except DeferredTimeout:
            words = f"tried to kill container {plan.key.container_id}, but did not receive an exit event"
            raise HostError(words) from None
        finally:
            process.close()

    def _hold(self, plan: RunPlan) -> Process:
        process = hold(self._reactor, plan.run)
        if process is None:
            raise NotRunning(plan.key.container_id)
        return process
