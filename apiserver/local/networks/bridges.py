"""Bridges that stand between one run and the next.

netavark makes a bridge and its rules with the first member of a network, and takes them down with the last, which takes
longer than all the rest of a teardown. So each bridge has a member of ours, without a process or an address: it stands
as long as that does. `RUNROOT/bridges/INTERFACE.json` says what was made for it; it is there before, and longer.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from twisted.logger import Logger

from apiserver.drivers.linux import netns
from apiserver.drivers.linux.netns import NetworkNamespaces
from apiserver.drivers.netavark import NFTABLES, Netavark
from apiserver.drivers.process import ProgramFailed
from apiserver.engine.ports.networks import Network, NetworkPlan
from apiserver.errors import HostError
from apiserver.jsonvalue import JsonObject
from apiserver.local.networks.request import member_request
from apiserver.local.paths import Paths, write_whole

log = Logger()


class Standing(msgspec.Struct, frozen=True):
    """A bridge with a member of ours.

    Attributes:
        firewall: the driver that wrote its rules.
        request: what netavark is told to make it.
        leaving: what netavark is told to take it down, and before that to make anew what is there by halves.
        whole: whether it was made to its end, and nobody has begun to take it down.
    """

    interface: str
    firewall: str
    request: JsonObject
    leaving: JsonObject
    whole: bool = False


class Bridges:
    """Those of an earlier service among them.

    The caller sees to it that nobody else is at work on a bridge that is held up or let go.
    """

    def __init__(self, paths: Paths, netavark: Netavark, namespaces: NetworkNamespaces) -> None:
        self._netavark = netavark
        self._namespaces = namespaces
        self._records = paths.bridges
        self._directory = paths.namespaces
        self._standing = {bridge.interface: bridge for bridge in self._recorded()}

    def all(self) -> Sequence[Standing]:
        return list(self._standing.values())

    def stand(self, plan: NetworkPlan) -> bool:
        """Whether all bridges of a plan do, with the rules that the plan's own driver writes."""
        present = _interfaces()
        return all(self._stands(each.network.interface, plan.firewall, present) for each in plan.attachments)

    def independent(self, plan: NetworkPlan) -> bool:
        """Whether netavark may work on a plan beside others.

        On a bridge that stands, set-up and teardown touch what is the run's own alone, and `nft` takes each as a whole.
        With iptables they are rows of single commands. Where somebody has flushed the ruleset meanwhile, the first
        makes the network's own rules anew, and others beside it would too.

        Raises:
            HostError: the kernel does not say.
        """
        if plan.firewall != NFTABLES or not plan.attachments or not self.stand(plan):
            return False
        return all(self._has_rules(each.network) for each in plan.attachments)

    async def hold_up(self, network: Network, firewall: str) -> None:
        """Give a bridge that somebody is on a member of ours.

        Raises:
            HostError: there may be half of it, which the next one who tries, or lets go, takes away.
        """
        if network.interface in self._standing:
            await self.let_go(self._standing[network.interface])
        bridge = Standing(network.interface, firewall, member_request(network), member_request(network, leaves=True))
        self._standing[network.interface] = bridge
        self._record(bridge)
        path = self._namespace(bridge)
        await self._make_anew(path)
        await self._netavark.setup(path, bridge.request, firewall)
        bridge = self._standing[network.interface] = msgspec.structs.replace(bridge, whole=True)
        self._record(bridge)

    async def let_go(self, bridge: Standing) -> None:
        """Take our member away: the bridge and its rules go with it, unless somebody else is there.

        Raises:
            HostError: something is left; call again later.
        """
        path = self._namespace(bridge)
        self._standing[bridge.interface] = bridge = msgspec.structs.replace(bridge, whole=False)
        self._record(bridge)
        if netns.exists(path):
            try:
                await self._netavark.teardown(path, bridge.leaving, bridge.firewall)
            except ProgramFailed as error:
                log.info("taking down {bridge}: {error}", bridge=bridge.interface, error=error.subject)
                await self._take_down_anew(path, bridge)
        elif bridge.interface in _interfaces():
            await self._take_down_anew(path, bridge)
        netns.remove(path)
        self._file(bridge).unlink(missing_ok=True)
        del self._standing[bridge.interface]

    def broken(self) -> Sequence[Standing]:
        """What is not whole, and should be let go of."""
        present = _interfaces()
        return [each for each in self.all() if not self._stands(each.interface, each.firewall, present)]

    def _recorded(self) -> Iterator[Standing]:
        """What an earlier service has left."""
        # Small files in the kernel's memory: they do not block.
        for file in self._records.glob("*.json"):
            try:
                yield msgspec.json.decode(file.read_bytes(), type=Standing)
            except msgspec.DecodeError as error:
                log.error("{file} is none of ours: {error}", file=str(file), error=error)

    def _has_rules(self, network: Network) -> bool:
        assert network.subnet is not None
        return self._netavark.has_network(network.id, network.subnet)

    def _stands(self, interface: str, firewall: str, present: frozenset[str]) -> bool:
        bridge = self._standing.get(interface)
        if bridge is None or not bridge.whole or bridge.firewall != firewall:
            return False
        # Somebody may have deleted one or the other by hand.
        return interface in present and netns.exists(self._namespace(bridge))

    async def _take_down_anew(self, path: Path, bridge: Standing) -> None:
        """netavark takes down as a whole only what is there as a whole."""
        await self._make_anew(path)
        await self._netavark.setup(path, bridge.leaving, bridge.firewall)
        await self._netavark.teardown(path, bridge.leaving, bridge.firewall)

    async def _make_anew(self, path: Path) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        netns.remove(path)
        try:
            await self._namespaces.create(path)
        except OSError as error:
            raise HostError(f"no namespace: {error}") from error

    def _namespace(self, bridge: Standing) -> Path:
        return self._directory / f"bridge-{bridge.interface}"

    def _file(self, bridge: Standing) -> Path:
        return self._records / f"{bridge.interface}.json"

    def _record(self, bridge: Standing) -> None:
        self._records.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._file(bridge), msgspec.json.encode(bridge))


def _interfaces() -> frozenset[str]:
    return frozenset(name for _, name in socket.if_nameindex())
