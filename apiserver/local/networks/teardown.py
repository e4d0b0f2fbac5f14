"""Takes a run off its networks, until nothing of it is left."""

from __future__ import annotations

import socket
from pathlib import Path

from twisted.logger import Logger

from apiserver.drivers.linux import netns
from apiserver.drivers.netavark import Netavark
from apiserver.drivers.process import ProgramFailed
from apiserver.engine.ports.networks import NetworkPlan
from apiserver.errors import ProgramMissing
from apiserver.local.networks.bridges import Bridges
from apiserver.local.networks.errors import NetworkFailed
from apiserver.local.networks.namespaces import RunNamespaces
from apiserver.local.networks.request import request_json

log = Logger()


class Teardown:
    """The caller sees to it that nobody else is at work on a bridge that may come or go with a run."""

    def __init__(self, netavark: Netavark, namespaces: RunNamespaces, bridges: Bridges) -> None:
        self._netavark = netavark
        self._namespaces = namespaces
        self._bridges = bridges

    async def take_down(self, plan: NetworkPlan) -> None:
        """Whether or not it was made, by halves, twice, or with its namespace lost.

        Raises:
            HostError, OSError: something is still there; call again later.
        """
        path = Path(plan.namespace)
        if plan.attachments:
            try:
                await self._tear_down(plan, path)
            except ProgramMissing:
                # The interface goes with the namespace: without netavark rules alone could stay.
                if await self._has_rules(plan):
                    raise
        netns.remove(path)

    async def _tear_down(self, plan: NetworkPlan, path: Path) -> None:
        """Without the namespace, which a crash or a reboot takes, netavark stops with the rules still there.

        In an empty one it removes the rules and misses the interface, and 1.4 then leaves the bridge if it was the last
        on it: so the whole is made once more, by the same names, and torn down as a whole.
        """
        for anew in (False, True):
            if anew:
                await self._namespaces.make_anew(path)
            if netns.exists(path) and await self._torn_down(plan, path):
                return
            if await self._nothing_left(plan):
                return
        await self._namespaces.make_anew(path)
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
