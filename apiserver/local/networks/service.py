"""Carries network plans out, and takes away again what they name."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator, Sequence, Set
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.deferreds import SharedLock
from apiserver.drivers.linux import netns
from apiserver.drivers.linux.netns import NetworkNamespaces
from apiserver.drivers.netavark import Netavark
from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.engine.ports.guard import BRIDGES, Guard
from apiserver.engine.ports.networks import Attachment, Endpoint, Network, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort
from apiserver.errors import EngineError, HostError, ProgramMissing
from apiserver.local.networks.bridges import Bridges, Standing
from apiserver.local.networks.request import endpoints, foreseen, request_json
from apiserver.local.networks.routes import ROUTES, free_subnet, used_subnets
from apiserver.local.paths import Paths

log = Logger()

T = TypeVar("T")

LOCK_LIMIT = 120.0
"""Seconds that one set-up waits for those before it: a thousand starts at once are to queue, not to fail."""

DETACH_LIMIT = 40.0
"""Seconds that a run may take to be off its networks, with its wait for those before it: the stop of a container waits
for it, and has 70 to 90 under systemd, of which 20 may be gone before its processes are."""

BRIDGE_LIMIT = 20.0
"""Seconds that netavark may work on a bridge that nobody is on, while all others wait."""

END_LIMIT = 5.0
"""Seconds that a service which stops takes for its bridges; the guard has more."""

LINGER = 10.0
"""Seconds that a bridge stands after its last run has left."""

_NAMESPACE = re.compile(r"([0-9a-f]{64})-(\d+)")


class NetworkFailed(HostError):
    """The subject is what netavark said."""

    cause = "network set-up failed"
    docker = "failed to set up container networking: {subject}"


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
        self._netavark = Netavark(programs, paths.runroot / "netavark")
        self._namespaces = NetworkNamespaces(programs)
        self._bridges = Bridges(paths, self._netavark, self._namespaces)
        self._directory = paths.namespaces
        self._lock = SharedLock("the network set-up", reactor, LOCK_LIMIT)
        self._reactor = reactor
        self._guard = guard
        self._now = now
        self._routes = routes
        self._firewall = ""
        self._open: set[Path] = set()
        self._rising: set[str] = set()
        self._on: dict[tuple[str, int], frozenset[str]] = {}
        """The bridges that each run is on, or is about to be."""
        self._lingering: dict[str, Any] = {}
        """What comes of bridges that stand for a while."""
        self._under_way: set[Deferred[Any]] = set()
        self._ended = False

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
            namespace=str(self._directory / f"{container_id}-{run}"),
            firewall=self._firewall,
        )

    async def open(self, plan: NetworkPlan) -> Sequence[Endpoint] | None:
        path = Path(plan.namespace)
        waited_for = self._stop_lingering(_interfaces(plan))
        try:
            # One of this name would be a left-over: a run is set up once.
            await self._make_anew(path)
        except OSError as error:
            raise NetworkFailed(f"no namespace: {error}") from error
        self._open.add(path)
        self._on[_key(plan)] = _interfaces(plan)
        if waited_for:
            self._tell_guard(self._unused())
        return foreseen(plan)

    async def attach(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        return await self._begun(self._attach(plan))

    async def detach(self, plan: NetworkPlan) -> None:
        await self._within(DETACH_LIMIT, "the network's teardown", self._detach(plan))

    async def survey(self) -> Set[tuple[str, int]]:
        return self._there()

    async def begin(self, plans: Collection[NetworkPlan]) -> None:
        self._on |= {_key(plan): _interfaces(plan) for plan in plans}
        for bridge in self._bridges.broken():
            with _logged(f"taking down {bridge.interface}"):
                async with self._lock.alone():
                    await self._let_go(bridge)
        self._see_who_is_left()

    async def end(self) -> None:
        self._stop_lingering(frozenset(self._lingering))
        bridges = frozenset(bridge.interface for bridge in self._bridges.all())
        if bridges:
            self._guard.begin(BRIDGES)  # until they are gone: we may be killed while we wait for netavark
        try:
            await self._within(END_LIMIT, "the end of the bridges", self._let_go_of(bridges))
        finally:
            self._ended = True
            for work in list(self._under_way):
                work.cancel()  # else its netavark outlives us, and is at work beside that of who finishes it

    async def _attach(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        path = Path(plan.namespace)
        self._on[_key(plan)] = _interfaces(plan)
        waited_for = self._stop_lingering(_interfaces(plan))
        async with self._turn(plan):
            try:
                if path not in self._open:
                    await self._make_anew(path)
                answer = await self._netavark.setup(path, request_json(plan), plan.firewall)
                made = endpoints(plan, answer)
            except BaseException as failure:
                with _logged("undoing a failed network set-up"):
                    await self._within(DETACH_LIMIT, "the network's teardown", self._take_down(plan))
                if isinstance(failure, ProgramFailed):
                    raise NetworkFailed(failure.subject) from failure
                raise
            finally:
                self._open.discard(path)
        if waited_for:
            self._tell_guard(self._unused())
        self._hold_up_bridges(plan)
        return made

    async def _detach(self, plan: NetworkPlan) -> None:
        async with self._turn(plan):
            await self._take_down(plan)
        self._see_who_is_left()

    # --- bounds ---

    def _begun(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Work that `end` cuts short where it still goes on then.

        Raises:
            HostError: it has ended.
        """
        if self._ended:
            work.close()
            raise HostError("the service ends")
        running = Deferred.fromCoroutine(work)
        self._under_way.add(running)

        def over(result: T | Failure) -> T | Failure:
            self._under_way.discard(running)
            return result

        running.addBoth(over)
        return running

    async def _within(self, seconds: float, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Do it in so many seconds; what it is in the middle of is killed then.

        Raises:
            HostError: it took longer.
        """
        try:
            await self._begun(work).addTimeout(seconds, self._reactor)
        except TimeoutError:
            raise HostError(f"{what} took longer than {seconds:g} s") from None

    # --- bridges between one run and the next ---

    @asynccontextmanager
    async def _turn(self, plan: NetworkPlan) -> AsyncGenerator[None, None]:
        async with self._lock.shared():
            if self._bridges.independent(plan):
                yield
                return
        async with self._lock.alone():
            yield

    def _hold_up_bridges(self, plan: NetworkPlan) -> None:
        """Nobody waits for it: it is for who comes next."""
        if self._bridges.stand(plan):
            return
        for attachment in plan.attachments:
            if attachment.network.interface not in self._rising:
                self._rising.add(attachment.network.interface)
                self._in_background(self._hold_up(attachment.network, plan.firewall))

    async def _hold_up(self, network: Network, firewall: str) -> None:
        try:
            async with self._lock.alone():
                if self._any_on(network.interface, self._there()):
                    held_up = self._bridges.hold_up(network, firewall)
                    await self._within(BRIDGE_LIMIT, f"holding up {network.interface}", held_up)
        finally:
            self._rising.discard(network.interface)

    def _see_who_is_left(self) -> None:
        unused = self._unused()
        for bridge in unused:
            if bridge.interface not in self._lingering:
                over = self._reactor.callLater(LINGER, self._linger_is_over, bridge.interface)
                self._lingering[bridge.interface] = over
        self._tell_guard(unused)

    def _stop_lingering(self, interfaces: Set[str]) -> bool:
        """Somebody comes; answers whether he was waited for."""
        waited_for = [self._lingering.pop(name) for name in interfaces & self._lingering.keys()]
        for each in waited_for:
            each.cancel()
        return bool(waited_for)

    def _linger_is_over(self, interface: str) -> None:
        del self._lingering[interface]
        self._in_background(self._let_go_of({interface}))

    def _tell_guard(self, unused: Sequence[Standing]) -> None:
        if unused:
            self._guard.begin(BRIDGES)
        else:
            self._guard.done(BRIDGES)

    async def _let_go_of(self, interfaces: Set[str]) -> None:
        """Unless somebody is there by now: with him they are on their own.

        Raises:
            HostError: names each that is still there.
        """
        failures = []
        async with self._lock.alone():
            for bridge in self._bridges.all():
                if bridge.interface in interfaces and not self._any_on(bridge.interface, self._there()):
                    try:
                        await self._let_go(bridge)
                    except (HostError, OSError) as error:
                        failures.append(f"{bridge.interface}: {error}")
        self._tell_guard(self._unused())
        if failures:
            raise HostError("; ".join(failures))

    async def _let_go(self, bridge: Standing) -> None:
        await self._within(BRIDGE_LIMIT, f"taking down {bridge.interface}", self._bridges.let_go(bridge))

    def _unused(self) -> Sequence[Standing]:
        """Bridges that stand, or are still to be let go of, and nobody is on."""
        bridges = self._bridges.all()
        there = self._there() if bridges else ()
        return [bridge for bridge in bridges if not self._any_on(bridge.interface, there)]

    def _any_on(self, interface: str, runs: Collection[tuple[str, int]]) -> bool:
        # One whose plan we do not know may be anywhere.
        return any(interface in self._on.get(run, {interface}) for run in runs)

    def _there(self) -> frozenset[tuple[str, int]]:
        # A directory in the kernel's memory: it does not block.
        if not self._directory.is_dir():
            return frozenset()
        matches = (_NAMESPACE.fullmatch(name) for name in os.listdir(self._directory))
        return frozenset((match[1], int(match[2])) for match in matches if match)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        def failed(failure: Failure) -> None:
            failure.trap(EngineError, OSError, CancelledError)
            log.error("a bridge that nobody is on: {why}", why=failure.getErrorMessage())

        self._begun(work).addErrback(failed)

    # --- taking down ---

    async def _take_down(self, plan: NetworkPlan) -> None:
        path = Path(plan.namespace)
        if plan.attachments:
            try:
                await self._tear_down(plan, path)
            except ProgramMissing:
                # The interface goes with the namespace: without netavark rules alone could stay.
                if await self._has_rules(plan):
                    raise
        netns.remove(path)
        self._on.pop(_key(plan), None)

    async def _tear_down(self, plan: NetworkPlan, path: Path) -> None:
        """Without the namespace, which a crash or a reboot takes, netavark stops with the rules still there.

        In an empty one it removes the rules and misses the interface, and 1.4 then leaves the bridge if it was the last
        on it: so the whole is made once more, by the same names, and torn down as a whole.
        """
        for anew in (False, True):
            if anew:
                await self._make_anew(path)
            if netns.exists(path) and await self._torn_down(plan, path):
                return
            if await self._nothing_left(plan):
                return
        await self._make_anew(path)
        try:
            await self._netavark.setup(path, request_json(plan), plan.firewall)
            await self._netavark.teardown(path, request_json(plan), plan.firewall)
        except ProgramFailed as error:
            if await self._has_rules(plan):
                raise NetworkFailed(f"rules of {plan.container_id} are left: {error.subject}") from error
            log.info("{subject} (nothing of it is left)", subject=error.subject)

    async def _nothing_left(self, plan: NetworkPlan) -> bool:
        """The usual case of a second look: no rules, and each bridge is gone, or stands without this run.

        What may be left is the interface alone, and goes with the namespace.
        """
        present = {name for _, name in socket.if_nameindex()}
        gone = not any(each.network.interface in present for each in plan.attachments)
        return (gone or self._bridges.stand(plan)) and not await self._has_rules(plan)

    async def _has_rules(self, plan: NetworkPlan) -> bool:
        for attachment in plan.attachments:
            if await self._netavark.has_rules(plan.container_id, attachment.lease.address, plan.firewall):
                return True
        return False

    async def _torn_down(self, plan: NetworkPlan, path: Path) -> bool:
        try:
            await self._netavark.teardown(path, request_json(plan), plan.firewall)
        except ProgramFailed as error:
            log.info(
                "network teardown of {container} run {run}: {error}",
                container=plan.container_id,
                run=plan.run,
                error=error.subject,
            )
            return False
        return True

    async def _make_anew(self, path: Path) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        netns.remove(path)
        await self._namespaces.create(path)


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """For what is done while another failure is being raised: that one is the caller's, this one the log's."""
    try:
        yield
    except (HostError, OSError) as error:
        log.error("{what}: {error}", what=what, error=error)


def _key(plan: NetworkPlan) -> tuple[str, int]:
    return plan.container_id, plan.run


def _interfaces(plan: NetworkPlan) -> frozenset[str]:
    return frozenset(each.network.interface for each in plan.attachments)
