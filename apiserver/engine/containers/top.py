"""The processes of a container."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from apiserver.engine.containers.failures import ContainerNotRunning, not_running
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import Container
from apiserver.engine.containers.wait import Condition, Wait
from apiserver.engine.events.model import Action
from apiserver.engine.ports.processes import ProcessFacts, ProcessTable
from apiserver.engine.ports.runs import NotRunning, Runs
from apiserver.errors import NoSuchContainer
from apiserver.jsonvalue import JsonObject

T = TypeVar("T")


class Top:
    """Each raises NoSuchContainer, ContainerNotRunning, and HostError where the host cannot tell."""

    def __init__(self, ledger: Ledger, runs: Runs, wait: Wait, clock: IReactorTime) -> None:
        self._ledger = ledger
        self._registry = ledger.registry
        self._runs = runs
        self._wait = wait
        self._clock = clock

    async def table(self, name_or_id: str, arguments: Sequence[str], *, told: bool = False) -> ProcessTable:
        """What the host's `ps` shows of them.

        Args:
            arguments: of `ps`; it is never asked to show an environment, or a stranger's process.
            told: among the events.

        Raises:
            PsRefused: an argument that cannot be given.
        """
        table = await self._ask(name_or_id, lambda plan: self._runs.ps(plan, arguments))
        if told:
            await self._ledger.commit(self._ledger.event(self._registry.get(name_or_id), Action.TOP))
        return table

    async def facts(self, name_or_id: str) -> tuple[ProcessFacts, ...]:
        """All of them, the first process first."""
        return await self._ask(name_or_id, self._runs.processes)

    async def namespaces(self, container: Container) -> Mapping[str, int]:
        """The numbers of its first process's namespaces by kind; empty where it has no process."""
        run = container.run
        return await self._runs.namespaces(run.plan) if run is not None and run.plan and not run.ended else {}

    async def repeat(
        self, name_or_id: str, look: Callable[[str], Awaitable[T]], seconds: float
    ) -> AsyncGenerator[T, None]:
        """What a look at it gives, again and again with a pause, until the container ends.

        Raises:
            what the first look raises, when the first is asked for.
        """
        container_id = self._registry.get(name_or_id).id
        yield await look(container_id)
        while await self._runs_on(container_id, seconds):
            try:
                again = await look(container_id)
            except (ContainerNotRunning, NoSuchContainer):
                return  # it has just ended
            yield again

    async def _runs_on(self, container_id: str, seconds: float) -> bool:
        """Wait; False as soon as it has ended."""
        container = self._registry.find(container_id)
        if container is None or not container.alive:
            return False
        ended = self._wait.watch(container_id, Condition.NEXT_EXIT)
        try:
            await ended.addTimeout(seconds, self._clock)
        except TimeoutError:
            return True
        return False

    async def _ask(self, name_or_id: str, question: Callable[[JsonObject], Awaitable[T]]) -> T:
        container = self._registry.get(name_or_id)
        if not container.alive or container.run is None:
            raise not_running(container)
        try:
            return await question(container.run.plan)
        except NotRunning:
            raise not_running(container) from None
