"""Taking away what a run has, or may have, outside of the state: by the list that was recorded before it was made."""

from __future__ import annotations

from msgspec.structs import replace

from apiserver.deferreds import side_by_side
from apiserver.engine.containers.collaborators import ContainerNetworks
from apiserver.engine.containers.model import Container, Run, State
from apiserver.engine.ports.runs import Runs


def has_leftovers(run: Run | None) -> bool:
    """Whether something of a run may still be there: its plans are recorded until they are undone."""
    return run is not None and bool(run.plan or run.network)


def before_init(container: Container) -> Container:
    """What an initialized container was before; its run is to be undone."""
    assert container.run is not None
    return container.become(State.CONFIGURED if container.run.started is None else State.EXITED)


class Undo:
    def __init__(self, runs: Runs, networks: ContainerNetworks) -> None:
        self._runs = runs
        self._networks = networks

    async def undo(self, container: Container, *, rebooted: bool = False) -> Run | None:
        """Undo a container's newest run, whatever of it exists, and answer it without its plans, to be committed.

        The caller holds the container's lock.

        Args:
            rebooted: processes that it names are other ones by now.

        Raises:
            HostError, LockTimeout: something may be left; the plans stay recorded, for the next who tries.
        """
        run = container.run
        if run is None or not has_leftovers(run):
            return run
        # Each waits for programs of its own, and a network that stays is no reason to let a process stay too.
        await side_by_side(self._discard(run, rebooted), self._detach(run))
        self._networks.release(container.id, run.number)
        return replace(run, plan={}, network=None, endpoints=(), pid=None)

    async def _discard(self, run: Run, rebooted: bool) -> None:
        if run.plan:
            await self._runs.discard(run.plan, processes=not rebooted)

    async def _detach(self, run: Run) -> None:
        if run.network is not None:
            await self._networks.detach(run.network)
