"""What becomes of bridges between one run and the next: each lingers for a while after its last run has left."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.deferreds import SharedLock
from apiserver.engine.ports.guard import BRIDGES, Guard
from apiserver.engine.ports.networks import Network, NetworkPlan
from apiserver.errors import EngineError, HostError
from apiserver.local.networks.attached import Attached
from apiserver.local.networks.bridges import Bridges, Standing
from apiserver.local.networks.work import Work

log = Logger()

BRIDGE_LIMIT = 20.0
"""Seconds that netavark may work on a bridge that nobody is on, while all others wait."""

END_LIMIT = 5.0
"""Seconds that a service which stops takes for its bridges; the guard has more."""

LINGER = 10.0
"""Seconds that a bridge stands after its last run has left."""


class Lingering:
    """
    Args:
        lock: had alone while a bridge is held up or let go of.
        guard: told while bridges stand that nobody is on.
    """

    def __init__(
        self, bridges: Bridges, attached: Attached, lock: SharedLock, work: Work, reactor: IReactorTime, guard: Guard
    ) -> None:
        self._bridges = bridges
        self._attached = attached
        self._lock = lock
        self._work = work
        self._reactor = reactor
        self._guard = guard
        self._rising: set[str] = set()
        self._ending = False
        self._until: dict[str, IDelayedCall] = {}
        """When each that lingers is let go of."""

    async def begin(self) -> None:
        """Take over what an earlier service has left; what cannot be taken away is logged."""
        for bridge in self._bridges.broken():
            try:
                async with self._lock.alone():
                    await self._let_go(bridge)
            except (HostError, OSError) as error:
                log.error("taking down {bridge}: {error}", bridge=bridge.interface, error=error)
        self.see_who_is_left()

    async def end(self) -> None:
        """Let go of all that nobody is on.

        Raises:
            HostError: something is still there.
        """
        self._ending = True
        self._stop(self._until.keys())
        bridges = frozenset(bridge.interface for bridge in self._bridges.all())
        if bridges:
            self._guard.begin(BRIDGES)  # until they are gone: we may be killed while we wait for netavark
        await self._work.within(END_LIMIT, "the end of the bridges", self._let_go_of(bridges))

    def hold_up(self, plan: NetworkPlan) -> None:
        """Have the bridges that a run is on stand without it too. Nobody waits for it: it is for who comes next."""
        if self._bridges.stand(plan):
            return
        for attachment in plan.attachments:
            if attachment.network.interface not in self._rising:
                self._rising.add(attachment.network.interface)
                self._in_background(self._hold_up(attachment.network, plan.firewall))

    @contextmanager
    def expecting(self, bridges: Set[str]) -> Iterator[None]:
        """Somebody comes to these, or fails to."""
        waited_for = self._stop(bridges)
        try:
            yield
        except BaseException:
            self.see_who_is_left()
            raise
        if waited_for:
            self._say_to_guard(self._unused())

    def _stop(self, bridges: Set[str]) -> bool:
        """Whether any of them lingered."""
        waited_for = [self._until.pop(bridge) for bridge in bridges & self._until.keys()]
        for each in waited_for:
            each.cancel()
        return bool(waited_for)

    def see_who_is_left(self) -> None:
        """Somebody has gone: each bridge that nobody is on now begins to linger, unless all end."""
        if self._ending:
            return
        unused = self._unused()
        for bridge in unused:
            if bridge not in self._until:
                self._until[bridge] = self._reactor.callLater(LINGER, self._is_over, bridge)
        self._say_to_guard(unused)

    async def _hold_up(self, network: Network, firewall: str) -> None:
        try:
            async with self._lock.alone():
                if self._attached.any_on(network.interface):
                    held_up = self._bridges.hold_up(network, firewall)
                    await self._work.within(BRIDGE_LIMIT, f"holding up {network.interface}", held_up)
        finally:
            self._rising.discard(network.interface)

    def _is_over(self, bridge: str) -> None:
        del self._until[bridge]
        self._in_background(self._let_go_of({bridge}))

    async def _let_go_of(self, interfaces: Set[str]) -> None:
        """Unless somebody is there by now: with him they are on their own.

        Raises:
            HostError: names each that is still there.
        """
        failures = []
        async with self._lock.alone():
            for bridge in self._bridges.all():
                if bridge.interface in interfaces and not self._attached.any_on(bridge.interface):
                    try:
                        await self._let_go(bridge)
                    except (HostError, OSError) as error:
                        failures.append(f"{bridge.interface}: {error}")
        self._say_to_guard(self._unused())
        if failures:
            raise HostError("; ".join(failures))

    async def _let_go(self, bridge: Standing) -> None:
        await self._work.within(BRIDGE_LIMIT, f"taking down {bridge.interface}", self._bridges.let_go(bridge))

    def _unused(self) -> Sequence[str]:
        """Bridges that stand, or are still to be let go of, and nobody is on."""
        return self._attached.unused([bridge.interface for bridge in self._bridges.all()])

    def _say_to_guard(self, unused: Sequence[str]) -> None:
        if unused:
            self._guard.begin(BRIDGES)
        else:
            self._guard.done(BRIDGES)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        def failed(failure: Failure) -> None:
            failure.trap(EngineError, OSError, CancelledError)
            log.error("a bridge that nobody is on: {why}", why=failure.getErrorMessage())

        self._work.begin(work).addErrback(failed)
