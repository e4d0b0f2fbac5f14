"""The engine of containers over back ends in memory: what its tests build, kill and build again."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options import ContainerOptions, Network, Process
from apiserver.engine.containers.registry import Registry
from apiserver.engine.containers.services import Containers, build_containers
from apiserver.engine.events.log import EventLog
from apiserver.engine.events.model import Event
from apiserver.engine.locks import Locks
from apiserver.engine.ports.host import HostFacts
from apiserver.engine.ports.images import Image, ImageConfig
from apiserver.engine.ports.networks import Attachment, Endpoint, Lease, NetworkPlan
from apiserver.engine.ports.networks import Network as BridgeNetwork
from apiserver.engine.ports.publish import PortRequest, PublishedPort
from apiserver.engine.ports.runs import RunKey
from apiserver.engine.volumes.service import Volumes
from apiserver.errors import ImageRemovedUnderneath, NoSuchImage, NoSuchNetwork
from tests.fakes.gates import Gates
from tests.fakes.guard import FakeGuard
from tests.fakes.logs import FakeLogs
from tests.fakes.machine import Machine
from tests.fakes.machine import Process as FakeProcess
from tests.fakes.records import MemoryRecords
from tests.fakes.runs import FakeRuns
from tests.fakes.streams import FakeStreamSource
from tests.fakes.volumes import FakeVolumeSource
from tests.support.results import result_of

T = TypeVar("T")

IMAGE = "1" * 64
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BRIDGE = BridgeNetwork("b" * 64, "apiserver", "bridge", NOON, "apiserver0")
TRUE = ContainerOptions(process=Process(command=("true",)))
NO_NETWORK = ContainerOptions(process=Process(command=("true",)), network=Network(mode="none"))


class ImagesDouble:
    """One image, called `busybox`."""

    def __init__(self) -> None:
        self.config = ImageConfig(env=("PATH=/bin",), cmd=("sh",))
        self.gone = False

    async def find(self, name_or_id: str, _: object = None, /) -> Image:
        if self.gone or name_or_id not in ("busybox", IMAGE):
            raise NoSuchImage(name_or_id)
        return Image(IMAGE, ("docker.io/library/busybox:latest",), (), NOON, 1, self.config, architecture="amd64")

    async def verify(self, image_id: str) -> None:
        if self.gone:
            raise ImageRemovedUnderneath(image_id)


class NetworksDouble:
    """One bridge, whose addresses are the engine's leases and whose interfaces are the machine's."""

    def __init__(self, machine: Machine, gates: Gates, remembered: Sequence[Container]) -> None:
        self._machine = machine
        self._gates = gates
        self.foresees = True
        self.leases = {(c.id, c.run.number) for c in remembered if c.run is not None and c.run.network is not None}

    def check(self, options: Network) -> None:
        if options.bridged and options.mode != "apiserver":
            raise NoSuchNetwork(options.mode)

    async def plan(self, container: Container, run: int, ports: Sequence[PublishedPort]) -> NetworkPlan | None:
        if not container.options.network.bridged:
            return None
        self.check(container.options.network)
        await self._gates.pass_by("networks.plan")
        self.leases.add((container.id, run))
        lease = Lease("apiserver", container.id, run, IPv4Address("10.89.0.2"), "02:00:00:00:00:02")
        return NetworkPlan(container.id, container.name, run, (Attachment(BRIDGE, lease),), tuple(ports))

    async def open(self, plan: NetworkPlan) -> Sequence[Endpoint] | None:
        await self._gates.pass_by("networks.open")
        self._machine.networks.add((plan.container_id, plan.run))
        await self._gates.pass_by("networks.open done")
        return [_endpoint(plan)] if self.foresees else None

    async def attach(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        await self._gates.pass_by("networks.attach")
        self._machine.networks.add((plan.container_id, plan.run))
        await self._gates.pass_by("networks.attach done")
        return [_endpoint(plan)]

    async def detach(self, plan: NetworkPlan) -> None:
        await self._gates.pass_by("networks.detach")
        self._machine.networks.discard((plan.container_id, plan.run))
        await self._gates.pass_by("networks.detach done")

    def release(self, container_id: str, run: int) -> None:
        self.leases.discard((container_id, run))

    async def reconcile(self, containers: Sequence[Container]) -> None: ...


def _endpoint(plan: NetworkPlan) -> Endpoint:
    lease = plan.attachments[0].lease
    return Endpoint("apiserver", "eth0", lease.address, 16, None, lease.mac)


class Held:
    def __init__(self, machine: Machine, ports: Sequence[PublishedPort]) -> None:
        self._machine = machine
        self.ports = ports
        self.descriptors: Sequence[int] = ()
        machine.ports.extend(port.host_port for port in ports)

    def close(self) -> None:
        for port in self.ports:
            if port.host_port in self._machine.ports:
                self._machine.ports.remove(port.host_port)


class PublisherDouble:
    def __init__(self, machine: Machine, gates: Gates) -> None:
        self._machine = machine
        self._gates = gates

    async def bind(self, endpoint: str, requests: Sequence[PortRequest]) -> Held:
        await self._gates.pass_by("publisher.bind")
        ports = [
            PublishedPort(r.container_port, r.transport, r.host_ip or "0.0.0.0", r.host_port_first or 32768 + n)
            for n, r in enumerate(requests)
        ]
        return Held(self._machine, ports)


class HoldsDouble:
    def __init__(self) -> None:
        self.active: list[str] = []
        self.all: list[str] = []

    @contextmanager
    def hold(self, what: str) -> Generator[None, None, None]:
        self.active.append(what)
        self.all.append(what)
        try:
            yield
        finally:
            self.active.remove(what)


@dataclass
class Engine:
    """A service's engine, over what outlives it: `machine`, `records`, `images`, `logs`."""

    clock: Clock = field(default_factory=Clock)
    gates: Gates = field(default_factory=Gates)
    images: ImagesDouble = field(default_factory=ImagesDouble)
    logs: FakeLogs = field(default_factory=FakeLogs)
    boot_id: str = "boot-1"
    machine: Machine = None  # type: ignore[assignment]  # made from the clock
    records: MemoryRecords = None  # type: ignore[assignment]  # made from the gates
    host_name: str = "host"
    architecture: str = "amd64"

    def __post_init__(self) -> None:
        if self.clock.seconds() == 0:
            self.clock.advance(NOON.timestamp())
        self.machine = self.machine or Machine(self.clock)
        self.logs.clock = self.clock
        self.records = self.records or MemoryRecords(self.gates)
        remembered = self.records.remembered()
        self.registry = Registry(remembered.containers)
        self.locks = Locks(self.clock)
        self.events = EventLog(self.records, self.clock)
        self.holds = HoldsDouble()
        self.runs = FakeRuns(self.machine, self.gates)
        self.networks = NetworksDouble(self.machine, self.gates, remembered.containers)
        self.volumes = Volumes(
            remembered.volumes,
            FakeVolumeSource(self.machine, self.gates),
            self.events,
            self.locks,
            self.registry.users_of_volume,
            self.clock,
            self.holds,
        )
        self.containers: Containers = build_containers(
            registry=self.registry,
            remembered=remembered,
            journal=self.events,
            locks=self.locks,
            runs=self.runs,
            streams=FakeStreamSource(self.machine, self.gates),
            logs=self.logs,
            publisher=PublisherDouble(self.machine, self.gates),
            images=self.images,
            networks=self.networks,
            volumes=self.volumes,
            guard=FakeGuard(self.machine),
            background=self.holds,
            host=HostFacts(
                name=self.host_name,
                operating_system="",
                kernel="",
                architecture=self.architecture,
                processors=2,
                memory_bytes=1 << 30,
                cgroup_version="2",
                cgroup_manager="cgroupfs",
                storage_driver="overlay",
                root="/",
                boot_id=self.boot_id,
            ),
            clock=self.clock,
            wall_clock=self.clock,
        )

    def next_service(self, boot_id: str | None = None) -> Engine:
        """This service is dead; another one starts over what it left."""
        self.machine.service_dies()
        self.gates.revive()
        return Engine(
            self.clock, self.gates, self.images, self.logs, boot_id or self.boot_id, self.machine, self.records
        )

    def reconciled(self, boot_id: str | None = None) -> Engine:
        following = self.next_service(boot_id)
        result_of(following.containers.reconcile.run())
        return following

    def create(self, options: ContainerOptions = NO_NETWORK, name: str | None = "box") -> Container:
        return result_of(self.containers.create.create(name, "busybox", options))

    def started(self, options: ContainerOptions = NO_NETWORK, name: str = "box") -> Container:
        container = self.create(options, name)
        result_of(self.containers.start.start(container.id))
        return self.registry.by_id(container.id)

    def container(self, name: str = "box") -> Container:
        return self.registry.get(name)

    def key(self, name: str = "box") -> RunKey:
        container = self.container(name)
        assert container.run is not None
        return RunKey(container.id, container.run.number)

    def process(self, name: str = "box") -> FakeProcess:
        return self.machine.runs[self.key(name)]

    def exit(self, code: int | None = 0, name: str = "box", *, oom: bool = False) -> None:
        self.machine.exit(self.key(name), code, oom=oom)

    def told(self, kind: str = "container") -> list[str]:
        """The actions of the events so far."""
        return [row.action.value for row in self.records.rows if row.kind.value == kind]

    def last_event(self) -> Event:
        return self.records.rows[-1]

    def nothing_is_left(self) -> bool:
        """No run has anything outside, and nobody holds a lock, a port or an address."""
        return (
            not self.machine.runs
            and not self.machine.networks
            and not self.machine.ports
            and not self.networks.leases
            and not self.locks.held()
            and not self.holds.active
        )


def failure_of(work: Coroutine[Any, Any, object] | Deferred[Any]) -> BaseException:
    """What it failed with; fails at once if it waits, or succeeded."""
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    got: list[object] = []
    deferred.addBoth(got.append)
    assert got, "it still waits"
    assert isinstance(got[0], Failure), got[0]
    assert got[0].value is not None
    return got[0].value


def spawn(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    return Deferred.fromCoroutine(work)


__all__ = ["BRIDGE", "IMAGE", "NOON", "NO_NETWORK", "TRUE", "Engine", "failure_of", "result_of", "spawn"]
