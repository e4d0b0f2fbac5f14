"""Carries network plans out, and takes away again what they name."""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Collection, Sequence, Set
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from apiserver.deferreds import SharedLock
from apiserver.drivers.linux.netns import NetworkNamespaces
from apiserver.drivers.netavark import Netavark
from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.engine.ports.guard import Guard
from apiserver.engine.ports.networks import Attachment, Endpoint, Network, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort
from apiserver.errors import HostError
from apiserver.local.networks.attached import Attached, bridges_of
from apiserver.local.networks.bridges import Bridges
from apiserver.local.networks.errors import NetworkFailed
from apiserver.local.networks.lingering import Lingering
from apiserver.local.networks.namespaces import RunNamespaces
from apiserver.local.networks.request import endpoints, foreseen, request_json
from apiserver.local.networks.routes import ROUTES, free_subnet, used_subnets
from apiserver.local.networks.teardown import Teardown
from apiserver.local.networks.work import Work
from apiserver.local.paths import Paths

log = Logger()

LOCK_LIMIT = 120.0
"""Seconds that one set-up waits for those before it: a thousand starts at once are to queue, not to fail."""

DETACH_LIMIT = 40.0
"""Seconds that a run may take to be off its networks, with its wait for those before it: the stop of a container waits
for it, and has 70 to 90 under systemd, of which 20 may be gone before its processes are."""


class LocalNetworks:
    """Fulfils `Networks`. One netavark at a time where a bridge comes or goes, several on one that stands.

    Args:
        guard: told while bridges stand that nobody is on.
        now: the time of day.
        routes: the kernel's routing table.
    """

    def __init__(
        self,
        paths: Paths,
        programs: Programs,
        reactor: IReactorTime,
        guard: Guard,
        *,
        routes: Path = ROUTES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        namespaces = NetworkNamespaces(programs)
        self._netavark = Netavark(programs, paths.runroot / "netavark")
        self._namespaces = RunNamespaces(paths.namespaces, namespaces)
        self._bridges = Bridges(paths, self._netavark, namespaces)
        self._attached = Attached(self._namespaces)
        self._teardown = Teardown(self._netavark, self._namespaces, self._bridges)
        self._lock = SharedLock("the network set-up", reactor, LOCK_LIMIT)
        self._work = Work(reactor)
        self._lingering = Lingering(self._bridges, self._attached, self._lock, self._work, reactor, guard)
        self._now = now
        self._routes = routes
        self._firewall = ""
        self._open: set[Path] = set()
        """Namespaces of runs whose set-up is still to come."""

    async def propose_bridge(self, name: str, interface: str) -> Network:
        # A file of the kernel's memory: it does not block.
        subnet = free_subnet(used_subnets(self._routes.read_text()))
        prefix = interface.rstrip("0123456789")
        taken = {known for _, known in socket.if_nameindex()}
        return Network(
            id=secrets.token_hex(32),
            name=name,
            driver="bridge",
            created=self._now(),
            interface=next(free for n in range(len(taken) + 1) if (free := f"{prefix}{n}") not in taken),
            subnet=subnet,
            gateway=subnet[1],
        )

    async def plan(
        self,
        container_id: str,
        container_name: str,
        run: int,
        attachments: Sequence[Attachment],
        ports: Sequence[PublishedPort] = (),
        dns_servers: Sequence[str] = (),
    ) -> NetworkPlan:
        if not self._firewall:
            self._firewall = await self._netavark.choose_firewall()
        return NetworkPlan(
            container_id=container_id,
            container_name=container_name,
            run=run,
            attachments=tuple(attachments),
            ports=tuple(ports),
            dns_servers=tuple(dns_servers),
            namespace=str(self._namespaces.path(container_id, run)),
            firewall=self._firewall,
        )

    async def open(self, plan: NetworkPlan) -> Sequence[Endpoint] | None:
        path = Path(plan.namespace)
        with self._lingering.expecting(bridges_of(plan)):
            try:
                # One of this name would be a left-over: a run is set up once.
                await self._namespaces.make_anew(path)
            except OSError as error:
                raise NetworkFailed(f"no namespace: {error}") from error
            self._open.add(path)
            self._attached.add(plan)
        return foreseen(plan)

    async def attach(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        return await self._work.begin(self._attach(plan))

    async def detach(self, plan: NetworkPlan) -> None:
        await self._work.within(DETACH_LIMIT, "the network's teardown", self._detach(plan))

    async def survey(self) -> Set[tuple[str, int]]:
        return self._namespaces.runs()

    async def begin(self, plans: Collection[NetworkPlan]) -> None:
        for plan in plans:
            self._attached.add(plan)
        await self._lingering.begin()

    async def end(self) -> None:
        try:
            await self._lingering.end()
        finally:
            self._work.end()

    async def _attach(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        self._attached.add(plan)
        with self._lingering.expecting(bridges_of(plan)):
            async with self._turn(plan):
                made = await self._set_up(plan)
        self._lingering.hold_up(plan)
        return made

    async def _set_up(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        path = Path(plan.namespace)
        try:
            if path not in self._open:
                await self._namespaces.make_anew(path)
            answer = await self._netavark.setup(path, request_json(plan), plan.firewall)
            return endpoints(plan, answer)
        except BaseException as failure:
            await self._undo(plan)
            if isinstance(failure, ProgramFailed):
                raise NetworkFailed(failure.subject) from failure
            raise
        finally:
            self._open.discard(path)

    async def _detach(self, plan: NetworkPlan) -> None:
        async with self._turn(plan):
            await self._take_down(plan)
        self._lingering.see_who_is_left()

    async def _undo(self, plan: NetworkPlan) -> None:
        """While another failure is being raised: that one is the caller's, this one the log's."""
        try:
            await self._work.within(DETACH_LIMIT, "the network's teardown", self._take_down(plan))
        except (HostError, OSError) as error:
            log.error("undoing a failed network set-up: {error}", error=error)

    async def _take_down(self, plan: NetworkPlan) -> None:
        await self._teardown.take_down(plan)
        self._attached.discard(plan)

    @asynccontextmanager
    async def _turn(self, plan: NetworkPlan) -> AsyncGenerator[None, None]:
        async with self._lock.shared():
            if self._bridges.independent(plan):
                yield
                return
        async with self._lock.alone():
            yield
