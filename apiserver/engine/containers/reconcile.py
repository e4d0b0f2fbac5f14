"""What is recorded against what is there, at the start of a daemon or of `apiserver reconcile`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.engine.containers.collaborators import ContainerNetworks
from apiserver.engine.containers.execs import Execs
from apiserver.engine.containers.exits import Exits
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import ALIVE, Container, State
from apiserver.engine.containers.removal import Removal
from apiserver.engine.containers.undo import Undo, before_init, has_leftovers
from apiserver.engine.events.model import Event
from apiserver.engine.locks import Locks
from apiserver.engine.ports.records import PutSetting
from apiserver.engine.ports.runs import Found, RunEnd, RunKey, Runs
from apiserver.jsonvalue import JsonObject

log = Logger()

AT_ONCE = 8
"""How many containers are cleaned up at the same time: each starts programs."""

_IN_RUNTIME = ALIVE | {State.INITIALIZED}

BOOT_ID = "boot_id"
INTERRUPTED = "the service was interrupted while it started this container"


class Reconcile:
    """
    Args:
        recorded_boot: the boot in which the state was last reconciled; empty where none was.
        boot: the one that we are in.
    """

    def __init__(
        self,
        ledger: Ledger,
        locks: Locks,
        runs: Runs,
        networks: ContainerNetworks,
        undo: Undo,
        exits: Exits,
        removal: Removal,
        execs: Execs,
        recorded_boot: str,
        boot: str,
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._runs = runs
        self._networks = networks
        self._undo = undo
        self._exits = exits
        self._removal = removal
        self._execs = execs
        self._recorded_boot = recorded_boot
        self._boot = boot

    async def run(self) -> None:
        """To be awaited before anything is served.

        What fails for one container is logged, and does not keep the others from being served.
        """
        rebooted = self._recorded_boot not in ("", self._boot)
        registry = self._ledger.registry
        found = {} if rebooted else await self._survey()
        turns = DeferredSemaphore(AT_ONCE)
        work = []
        for container in registry.all():
            step = self._step(container, found, rebooted)
            if step is not None:
                done = turns.run(Deferred.fromCoroutine, step(container))
                work.append(done.addErrback(self._unsettled, container.id))
        await DeferredList(work)
        for stranger in await self._runs.strangers(frozenset(c.id for c in registry.all())):
            log.warn("{id} is no container of ours any more: its files are deleted", id=stranger)
            await self._runs.forget(stranger)
        await self._networks.reconcile(registry.all())
        await self._execs.reconcile()
        if any(container.state in _IN_RUNTIME for container in registry.all()):
            self._ledger.guard.attend()
        if self._recorded_boot != self._boot:
            await self._ledger.commit(PutSetting(BOOT_ID, self._boot))

    async def last_look(self) -> None:
        """Settle what has ended and was not heard of: an exit program may have been told that we do it."""
        found = await self._survey()
        for container in self._ledger.registry.all():
            run = container.run
            if run is not None and container.state in _IN_RUNTIME:
                key = RunKey(container.id, run.number)
                if found.get(key) is Found.ENDED:
                    await self._exits.settle(key)

    async def _survey(self) -> dict[RunKey, Found]:
        plans: dict[RunKey, JsonObject] = {
            RunKey(c.id, c.run.number): c.run.plan
            for c in self._ledger.registry.all()
            if c.run is not None and c.state in _IN_RUNTIME
        }
        return dict(await self._runs.survey(plans)) if plans else {}

    def _step(
        self, container: Container, found: dict[RunKey, Found], rebooted: bool
    ) -> Callable[[Container], Coroutine[Any, Any, None]] | None:
        """What is to be done for a container; None in the usual case: nothing."""
        run = container.run
        auto_remove = container.options.lifecycle.auto_remove
        if container.state is State.REMOVING or (container.state is State.EXITED and auto_remove):
            return lambda c: self._remove(c, rebooted)
        if run is None:
            return None
        if container.state in ALIVE or container.state in (State.INITIALIZED, State.STOPPED):
            what = found.get(RunKey(container.id, run.number), Found.NOTHING)
            if container.state is State.INITIALIZED and what is Found.CREATED:
                return None
            if container.state is State.INITIALIZED and what in (Found.NOTHING, Found.LEFTOVERS):
                return lambda c: self._undone(c, rebooted)
            if what in (Found.RUNNING, Found.PAUSED) and container.state is not State.INITIALIZED:
                return self._adoption(container, State.RUNNING if what is Found.RUNNING else State.PAUSED)
            # Only an end that somebody may have recorded is waited for.
            known = None if what is Found.ENDED else RunEnd(None, self._ledger.now())
            key = RunKey(container.id, run.number)
            return lambda _: self._exits.settle(key, known, rebooted=rebooted)
        if has_leftovers(run):
            return lambda c: self._undone(c, rebooted)
        return None

    def _adoption(self, container: Container, state: State) -> Callable[[Container], Coroutine[Any, Any, None]] | None:
        """It runs; what was about to stop it is gone."""
        if container.state is state:
            return None

        async def adopt(container: Container) -> None:
            async with self._locks.container(container.id, "reconcile"):
                if state is State.PAUSED and container.state is State.STOPPING:
                    container = container.become(State.RUNNING)
                await self._ledger.record(container.become(state))

        return adopt

    async def _undone(self, container: Container, rebooted: bool) -> None:
        """A start that was not recorded did not happen, however far it got; likewise what an end left behind."""
        async with self._locks.container(container.id, "reconcile"):
            run = await self._undo.undo(container, rebooted=rebooted)
            assert run is not None
            left: tuple[Event, ...] = ()
            if container.state is State.INITIALIZED:
                # It waited to be started, and needs no more than another run for that.
                left = self._ledger.leaving(container)
                code = 0 if run.started is None else run.exit_code
                container, run = before_init(container), replace(run, ended=True, exit_code=code)
            elif not run.ended:
                run = replace(run, ended=True, error=INTERRUPTED)
            container = await self._ledger.record(replace(container, run=run), *left)
            if container.options.lifecycle.auto_remove:
                await self._removal.finish(container, volumes=True, rebooted=rebooted)

    async def _remove(self, container: Container, rebooted: bool) -> None:
        async with self._locks.container(container.id, "reconcile"):
            await self._removal.finish(container, volumes=True, rebooted=rebooted)

    @staticmethod
    def _unsettled(failure: Failure, container_id: str) -> None:
        log.failure("container {id} could not be reconciled", failure, id=container_id)
