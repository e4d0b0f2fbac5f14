"""Starting a container: intent first, then its network and its process, and back by the same list where that fails.

What can be told apart is `init`, which makes all but leaves the first process waiting, and the start of that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec.structs import replace
from twisted.logger import Logger

from apiserver.deferreds import side_by_side
from apiserver.engine.containers.attach import Attach
from apiserver.engine.containers.collaborators import ContainerNetworks, ImagesInUse, VolumesInUse
from apiserver.engine.containers.exits import Exits
from apiserver.engine.containers.failures import MarkedForRemoval, StartOfPaused
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import Container, Run, State
from apiserver.engine.containers.removal import Removal
from apiserver.engine.containers.undo import Undo, before_init, has_leftovers
from apiserver.engine.containers.wait import Wait
from apiserver.engine.events.model import Action, Event
from apiserver.engine.locks import Locks
from apiserver.engine.ports.publish import HeldPorts, PortPublisher
from apiserver.engine.ports.runs import RunKey, Runs, RunSpec, StartFailed
from apiserver.errors import EngineError, HostError, NotModified

log = Logger()

NOT_STARTED = 128
"""The exit code of a container that could not be started for a reason that lies outside of it, as Docker has it."""


class Start:
    def __init__(
        self,
        ledger: Ledger,
        locks: Locks,
        runs: Runs,
        networks: ContainerNetworks,
        publisher: PortPublisher,
        images: ImagesInUse,
        volumes: VolumesInUse,
        attach: Attach,
        undo: Undo,
        exits: Exits,
        removal: Removal,
        wait: Wait,
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._runs = runs
        self._networks = networks
        self._publisher = publisher
        self._images = images
        self._volumes = volumes
        self._attach = attach
        self._undo = undo
        self._exits = exits
        self._removal = removal
        self._wait = wait

    async def start(self, name_or_id: str) -> None:
        """Start it, and return when its first process runs.

        Raises:
            NotModified: it runs already.
            MarkedForRemoval, StartOfPaused
            StartFailed, PortInUse, ImageRemovedUnderneath, HostError: nothing of the start is left behind.
        """
        container_id = self._ledger.registry.get(name_or_id).id
        async with self._locks.container(container_id, "start"):
            await self._start(self._ledger.registry.by_id(container_id))

    async def init(self, name_or_id: str) -> None:
        """Make everything that a start makes, and leave the first process waiting: `start` lets it run.

        Raises:
            NotModified: that is done, or it runs.
            MarkedForRemoval
            StartFailed, PortInUse, ImageRemovedUnderneath, HostError: nothing of it is left behind.
        """
        container_id = self._ledger.registry.get(name_or_id).id
        async with self._locks.container(container_id, "init"):
            container = self._ledger.registry.by_id(container_id)
            if container.alive or container.state is State.INITIALIZED:
                raise NotModified(f"container {container.id} has already been initialized")
            await self._fresh(container, self._wait_in_runtime)

    async def _start(self, container: Container) -> None:
        if container.state is State.PAUSED:
            raise StartOfPaused("cannot start a paused container, try unpause instead")
        if container.alive:
            raise NotModified(f"container {container.id} is already running")
        if container.state is not State.INITIALIZED:
            await self._fresh(container, self._let_run)
            return
        try:
            await self._let_run(container, container)
        except BaseException as reason:
            await self._failed(before_init(container), container, reason)
            raise

    async def _fresh(self, container: Container, then: Callable[[Container, Container], Awaitable[None]]) -> None:
        """A run of its own, made up to the runtime's create. Then `then`, given the container before and after."""
        if container.state is State.REMOVING:
            raise MarkedForRemoval("container is marked for removal and cannot be started")
        if container.state is State.STOPPED:
            # Its end is recorded, and could not be cleaned up then.
            await self._exits.finish(container, None)
            container = self._ledger.registry.by_id(container.id)
        if has_leftovers(container.run):
            container = await self._ledger.record(replace(container, run=await self._undo.undo(container)))
        number = container.run.number + 1 if container.run else 1
        held: HeldPorts | None = None
        intended = replace(container, run=_following(container, number))
        try:
            await self._images.verify(container.image_id)
            held = await self._bind(container)
            intended = await self._intend(container, number, held)
            made = await self._make(intended, held)
            if held is not None:
                held.close()
            await then(container, made)
        except BaseException as reason:
            await self._failed(container, intended, reason)
            raise
        finally:
            if held is not None:
                held.close()

    async def _bind(self, container: Container) -> HeldPorts | None:
        ports = container.options.network.requested_ports
        if not ports or not container.options.network.bridged:
            return None
        return await self._publisher.bind(container.name, ports)

    async def _intend(self, container: Container, number: int, held: HeldPorts | None) -> Container:
        """Record all that will be made, before anything of it is."""
        key = RunKey(container.id, number)
        network = await self._networks.plan(container, number, held.ports if held is not None else ())
        try:
            plan = self._runs.plan(key, container.options, container.runtime)
            run = replace(_following(container, number), plan=plan, network=network)
            return await self._ledger.record(replace(container, run=run))
        except BaseException:
            self._networks.release(container.id, number)
            raise

    async def _make(self, container: Container, held: HeldPorts | None) -> Container:
        """All up to the runtime's create."""
        run = container.run
        assert run is not None
        if run.network is None:
            return await self._create(container, run, held)
        network = run.network
        foreseen = await self._networks.open(network)
        if foreseen is None or container.options.sysctls:
            # The files of a run name its DNS servers, and a sysctl may name its interface.
            run = replace(run, endpoints=tuple(await self._networks.attach(network)))
            return await self._create(container, run, held)
        known = replace(run, endpoints=tuple(foreseen))
        attached, made = await side_by_side(self._networks.attach(network), self._create(container, known, held))
        if tuple(attached) != known.endpoints:
            raise HostError(f"{container.id} did not get the network that was planned for it")
        return made

    async def _create(self, container: Container, run: Run, held: HeldPorts | None) -> Container:
        spec = RunSpec(
            key=RunKey(container.id, run.number),
            name=container.name,
            image_id=container.image_id,
            options=container.options,
            runtime=container.runtime,
            network=run.network,
            endpoints=run.endpoints,
            volumes={name: self._volumes.get(name).mountpoint for name in container.volumes},
        )
        async with self._volumes.filling(container.volumes_to_fill) as new:
            pid = await self._runs.create(replace(spec, new_volumes=new), run.plan, held)
        return replace(container, run=replace(run, pid=pid))

    async def _wait_in_runtime(self, _: Container, made: Container) -> None:
        waiting = made.become(State.INITIALIZED)
        await self._ledger.record(
            waiting,
            *self._ledger.joining(waiting),
            self._ledger.event(waiting, Action.INIT),
        )

    async def _let_run(self, before: Container, made: Container) -> None:
        run = made.run
        assert run is not None
        await self._attach.connect(made.id, run.plan)
        started = await self._runs.start(run.plan)
        run = replace(run, started=started.at, exit_code=None, oom_killed=False, pid=started.pid)
        running = made.become(State.RUNNING, run=run, stopped_by_user=False)
        made_now: tuple[Event, ...] = ()
        if before is not made:
            made_now = (*self._ledger.joining(running), self._ledger.event(running, Action.INIT))
        await self._ledger.record(running, *made_now, self._ledger.event(running, Action.START))

    async def _failed(self, before: Container, intended: Container, reason: BaseException) -> None:
        """Leave the container as it was, but for why it could not be started. Raises nothing of its own."""
        run = intended.run
        assert run is not None
        try:
            run = await self._undo.undo(intended) or run
        except Exception:  # noqa: BLE001  # the caller hears of the first failure, and who waits of the end
            # The plans stay recorded: the next start or removal, or reconcile, undoes them.
            log.failure("a failed start of container {id} could not be undone yet", id=before.id)
        failed = replace(
            run,
            ended=True,
            exit_code=reason.exit_code if isinstance(reason, StartFailed) else NOT_STARTED,
            error=_words(reason),
            pid=None,
        )
        self._attach.end(before.id)
        container = replace(before, run=failed)
        try:
            left = self._ledger.leaving(intended) if intended.state is State.INITIALIZED else ()
            container = await self._ledger.record(container, *left)
            self._wait.not_started(container)
            if container.options.lifecycle.auto_remove:
                await self._removal.finish(container, volumes=True)
        except Exception:  # noqa: BLE001  # as above
            log.failure("the failed start of container {id} is not recorded", id=before.id)


def _following(container: Container, number: int) -> Run:
    """The next run, of which there is nothing to tell until it is started but how the one before went."""
    before = container.run or Run(0)
    return Run(
        number,
        started=before.started,
        finished=before.finished,
        exit_code=before.exit_code,
        oom_killed=before.oom_killed,
    )


def _words(reason: BaseException) -> str:
    if isinstance(reason, EngineError):
        return reason.docker.format(subject=reason.subject, cause=reason.cause)
    return str(reason)
