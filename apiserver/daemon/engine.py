"""The engine on this machine: lock, state, parts, reconcile; and all of it let go in reverse.

Its parts are built only after the lock on the root is ours, since they begin with what the state file holds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.logger import Logger

from apiserver.daemon.clocks import WallClock
from apiserver.engine.containers.collaborators import Background
from apiserver.engine.containers.registry import Registry
from apiserver.engine.containers.services import Containers, build_containers
from apiserver.engine.events.log import EventLog
from apiserver.engine.images.remove import ImageUser
from apiserver.engine.images.service import Images
from apiserver.engine.locks import Locks
from apiserver.engine.networks.service import Networks
from apiserver.engine.ports.guard import Guard
from apiserver.engine.ports.host import HostFacts, HostFigures
from apiserver.engine.ports.images import ImageSource
from apiserver.engine.ports.logs import LogSource
from apiserver.engine.ports.networks import Networks as NetworksPort
from apiserver.engine.ports.publish import PortPublisher
from apiserver.engine.ports.records import Records
from apiserver.engine.ports.runs import Runs
from apiserver.engine.ports.streams import Streams
from apiserver.engine.ports.volumes import VolumeSource
from apiserver.engine.system import System
from apiserver.engine.volumes.service import Volumes
from apiserver.errors import EngineError, HostError
from apiserver.local.exit_program import install_exit_program
from apiserver.local.paths import Paths
from apiserver.local.records.lock import RootLock

log = Logger()

LOCK_LIMIT = 10.0
"""Seconds that a starting daemon waits for an `apiserver reconcile` to end."""

LAST_LOOK_LIMIT = 5.0
"""Seconds to settle ends that were not heard of, when the service stops."""

QUIET_LIMIT = 15.0
"""Seconds that changes which have begun may take to end when the service stops."""


class StartGivenUp(HostError):
    cause = "told to stop before it had started"


class Nobody:
    """The background of a process that serves nobody: it stays until its work is done anyway."""

    def hold(self, what: str) -> AbstractContextManager[None]:
        return nullcontext()


class Ports(Struct, frozen=True):
    """What the engine stands on; a test fills in fakes."""

    records: Records
    runs: Runs
    streams: Streams
    logs: LogSource
    images: ImageSource
    networks: NetworksPort
    publisher: PortPublisher
    volumes: VolumeSource
    guard: Guard
    host: Callable[[], HostFacts]
    registry: Callable[[], Any]
    """The `Registry` of `engine.ports.registry`: made, and its module imported, when the first client needs it."""
    ask_versions: Callable[[], Awaitable[object]] | None = None
    measure: Callable[[], Awaitable[HostFigures]] | None = None
    tidy: Callable[[Background], object] = lambda _: None
    """Begin to take away what an earlier service was in the middle of and nobody waits for."""
    let_go: Callable[[], object] = lambda: None
    """Watch nothing any more: what is heard of after the end could not be recorded."""


class Services(Struct, frozen=True):
    """What the groups of the API call; a field's name is the parameter's name in their constructors."""

    containers: Containers
    images: Images
    networks: Networks
    volumes: Volumes
    system: System
    events: EventLog
    locks: Locks
    wall_clock: Any
    pulls: Callable[[], Any]
    """The `Pulls` of `engine.images.pull`, likewise."""
    pushes: Callable[[], Any]
    """The `Pushes` of `engine.images.push`, likewise."""
    saves: Callable[[], Any]
    """The `Saves` of `engine.images.save`, likewise."""


def build_services(
    ports: Ports, *, background: Background, uris: Callable[[], Sequence[str]], reactor: Any
) -> Services:
    """The engine's services over any ports, by constructor alone."""
    remembered = ports.records.remembered()
    wall_clock: Any = WallClock(reactor)
    journal = EventLog(ports.records, wall_clock)
    locks = Locks(reactor)
    registry = Registry(remembered.containers)

    def made_of(image_id: str) -> Sequence[ImageUser]:
        users = ((user, registry.find(user)) for user in registry.users_of_image(image_id))
        return [ImageUser(user, container is not None and container.alive) for user, container in users]

    async def candidates(name: str) -> Sequence[str]:
        found: Sequence[str] = (await ports.registry().short_name(name)).candidates
        return found

    images = Images(ports.images, journal, locks, made_of, wall_clock, candidates)
    networks = Networks(ports.networks, journal, remembered)
    volumes = Volumes(
        remembered.volumes, ports.volumes, journal, locks, registry.users_of_volume, wall_clock, background
    )
    containers = build_containers(
        registry=registry,
        remembered=remembered,
        journal=journal,
        locks=locks,
        runs=ports.runs,
        streams=ports.streams,
        logs=ports.logs,
        publisher=ports.publisher,
        images=images,
        networks=networks,
        volumes=volumes,
        guard=ports.guard,
        background=background,
        host=ports.host(),
        clock=reactor,
        wall_clock=wall_clock,
    )

    async def count_images() -> int:
        return len(await images.all())

    system = System(ports.host, registry, count_images, journal, uris, wall_clock, ports.ask_versions, ports.measure)

    @cache
    def pulls() -> Any:
        from apiserver.engine.images.pull import Pulls

        return Pulls(ports.registry(), ports.images, images.tell, images.tell_failed_pull, background)

    @cache
    def pushes() -> Any:
        from apiserver.engine.images.push import Pushes

        return Pushes(ports.registry(), images.tell, background)

    @cache
    def saves() -> Any:
        from apiserver.engine.images.save import Saves

        return Saves(images, ports.images, background)

    return Services(containers, images, networks, volumes, system, journal, locks, wall_clock, pulls, pushes, saves)


class LocalEngine:
    """The engine of one root.

    Args:
        open_ports: builds the ports on the root's files, once the lock is ours.
        background: holds the service while work goes on that nobody waits for.
        uris: where the service listens, for `info`.

    Attributes:
        services: None until it has started.
    """

    def __init__(
        self,
        paths: Paths,
        reactor: Any,
        open_ports: Callable[[Paths, Any], Ports],
        *,
        background: Background | None = None,
        uris: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._paths = paths
        self._reactor = reactor
        self._open_ports = open_ports
        self._background = background or Nobody()
        self._uris = uris
        self._lock = RootLock(paths.root)
        self._waiting: Deferred[None] = succeed(None)
        self._ports: Ports | None = None
        self.services: Services | None = None

    async def start(self) -> None:
        """Lock the root, open the state, bring both in line with what is really there.

        Raises:
            RootTaken: names who holds it.
            HostError: the state cannot be read, or was written by a newer version.
        """
        self._paths.prepare()
        self._waiting = Deferred.fromCoroutine(self._lock.acquire(self._reactor, LOCK_LIMIT))
        try:
            await self._waiting
        except CancelledError:
            raise StartGivenUp(f"told to stop while {self._lock.holder()} still had {self._paths.root}") from None
        install_exit_program(self._paths)
        self._ports = self._open_ports(self._paths, self._reactor)
        self.services = build_services(self._ports, background=self._background, uris=self._uris, reactor=self._reactor)
        await self.services.volumes.reconcile()
        await self.services.containers.reconcile.run()
        if not isinstance(self._background, Nobody):
            self._ports.tidy(self._background)

    def hurry(self) -> None:
        """Wait for the lock no longer: somebody wants us to stop. Later steps of a start are short."""
        self._waiting.cancel()

    async def stop(self) -> None:
        """End what has begun, write what waits, and let go of the root.

        Nobody is connected any more. What cannot be ended now is done by the next start, from what is recorded.
        """
        try:
            if self.services is not None:
                await self._finish(self.services)
        finally:
            if self._ports is not None:
                self._ports.let_go()
                await self._ports.records.close()
                self._ports = self.services = None
            self._lock.release()

    async def _finish(self, services: Services) -> None:
        try:
            last_look = Deferred.fromCoroutine(services.containers.reconcile.last_look())
            await last_look.addTimeout(LAST_LOOK_LIMIT, self._reactor)
        except (EngineError, TimeoutError):
            log.failure("not all ended containers are settled")
        if not await services.locks.quiet(QUIET_LIMIT):
            for held in services.locks.held():
                log.warn("left unfinished: {purpose} of {name}", purpose=held.purpose, name=held.name)
        try:
            await services.networks.end()
        except (EngineError, OSError):
            log.failure("not all of the networks that nobody is on is taken down")
