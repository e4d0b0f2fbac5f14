"""Stopping a container: politely first."""

from __future__ import annotations

from enum import Enum, auto

from msgspec.structs import replace

from apiserver.engine.containers.collaborators import Background
from apiserver.engine.containers.exits import Exits
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import Container, State
from apiserver.engine.containers.signals import signal_number
from apiserver.engine.events.model import Action
from apiserver.engine.locks import Locks
from apiserver.engine.ports.runs import NotRunning, RunKey, Runs
from apiserver.errors import NotModified

DEFAULT_TIMEOUT = 10.0


class Default(Enum):
    TIMEOUT = auto()


DEFAULT = Default.TIMEOUT
"""The container's own stop time-out, else 10 seconds."""


class Stop:
    """
    Args:
        background: keeps the service while a stop lasts: whoever asked for it may have left, and nobody else would
            send the SIGKILL.
    """

    def __init__(self, ledger: Ledger, locks: Locks, runs: Runs, exits: Exits, background: Background) -> None:
        self._ledger = ledger
        self._locks = locks
        self._runs = runs
        self._exits = exits
        self._background = background

    async def stop(
        self,
        name_or_id: str,
        timeout: float | Default | None = DEFAULT,
        *,
        signal: str = "",
        initialized: bool = False,
    ) -> None:
        """Stop it and return when it is cleaned up.

        Args:
            timeout: seconds from the stop signal to SIGKILL; 0 kills at once, None waits for ever.
            signal: instead of the container's own stop signal: a name or a number.
            initialized: end also one that waits for its start; nothing of its own runs yet that could be asked to go.

        Raises:
            NotModified: it does not run.
            InvalidParameter: no such signal.
        """
        container = self._ledger.registry.get(name_or_id)
        process = container.options.process
        number = signal_number(signal or process.stop_signal or "SIGTERM")
        if timeout is DEFAULT:
            timeout = DEFAULT_TIMEOUT if process.stop_timeout is None else process.stop_timeout
            timeout = None if timeout < 0 else timeout
        with self._background.hold(f"stop of container {container.id[:12]}"):
            await self._stop(container.id, number, timeout, initialized)

    async def _stop(self, container_id: str, number: int, timeout: float | None, initialized: bool) -> None:
        container = await self._stopping(container_id, 9 if timeout == 0 else number, initialized)
        if container.state is State.INITIALIZED:
            timeout = 0
        run = container.run
        assert run is not None
        key = RunKey(container.id, run.number)
        try:
            await self._runs.stop(run.plan, number, timeout)
        except NotRunning:
            pass  # it ended by itself in between
        except BaseException:
            await self._not_stopped(key)
            raise
        await self._exits.settle(key)

    async def _stopping(self, container_id: str, signal: int, initialized: bool) -> Container:
        async with self._locks.container(container_id, "stop"):
            container = self._ledger.registry.by_id(container_id)
            if container.state is State.STOPPED:
                await self._exits.finish(container, None)
            if initialized and container.state is State.INITIALIZED:
                killed = self._ledger.event(container, Action.KILL, signal="9")
                return await self._ledger.record(replace(container, stopped_by_user=True), killed)
            if not container.alive:
                raise NotModified(f"container {container_id} is not running")
            if container.state is not State.STOPPING:
                container = container.become(State.STOPPING, stopped_by_user=True)
            # Else another one stops it already: this signal and this time-out come on top.
            return await self._ledger.record(container, self._ledger.event(container, Action.KILL, signal=str(signal)))

    async def _not_stopped(self, key: RunKey) -> None:
        async with self._locks.container(key.container_id, "failed stop"):
            container = self._ledger.registry.find(key.container_id)
            if container is None or container.run is None or container.run.number != key.number:
                return
            if container.state is State.STOPPING:
                await self._ledger.record(container.become(State.RUNNING, stopped_by_user=False))
