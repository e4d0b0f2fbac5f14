"""The networks there are, and what a container's run has of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from twisted.logger import Logger

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options import network as options
from apiserver.engine.events.log import EventLog
from apiserver.engine.names import may_be_id, new_id
from apiserver.engine.networks.leases import Leases
from apiserver.engine.ports import networks as port_of_networks
from apiserver.engine.ports.networks import Attachment, Endpoint, Network, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort
from apiserver.engine.ports.records import PutSetting, Remembered
from apiserver.errors import HostError, LockTimeout, NoSuchNetwork, NotImplementedYet
from apiserver.jsonvalue import JsonValue

log = Logger()

SETTING = "networks"
INTERFACE = "apiserver0"
_ALSO_CALLED = {"bridge": options.DEFAULT, "podman": options.DEFAULT, "default": options.DEFAULT}
"""Docker's and libpod's names of the default network."""


class Networks:
    """
    Args:
        remembered: the networks and the leases of an earlier daemon's runs are taken over from it.
    """

    def __init__(self, port: port_of_networks.Networks, journal: EventLog, remembered: Remembered) -> None:
        self._port = port
        self._journal = journal
        self._networks: dict[str, Network] = _networks(remembered.settings.get(SETTING))
        plans = _plans(remembered.containers).values()
        self._leases = Leases(attachment.lease for plan in plans for attachment in plan.attachments)

    async def prepare(self) -> None:
        """Choose and record the networks at the very first start, before anything is answered; `reconcile` does it too.

        Raises:
            HostError: no subnet is free.
        """
        if options.DEFAULT in self._networks:
            return
        bridge = await self._port.propose_bridge(options.DEFAULT, INTERFACE)
        fresh = [bridge, *(Network(new_id(), name, name, bridge.created) for name in (options.HOST, options.NONE))]
        await self._journal.commit(PutSetting(SETTING, [_network_json(network) for network in fresh]))
        self._networks = {network.name: network for network in fresh}

    def all(self) -> tuple[Network, ...]:
        return tuple(self._networks.values())

    def get(self, name_or_id: str) -> Network:
        """By its name in either flavour, its id, or the beginning of its id.

        Raises:
            NoSuchNetwork
        """
        name = _ALSO_CALLED.get(name_or_id, name_or_id)
        if name in self._networks:
            return self._networks[name]
        if may_be_id(name):
            found = [network for network in self._networks.values() if network.id.startswith(name)]
            if len(found) == 1:
                return found[0]
        raise NoSuchNetwork(name_or_id)

    def check(self, wanted: options.Network) -> None:
        """Whether a container can be on the network that it asks for.

        Raises:
            NoSuchNetwork, NotImplementedYet
        """
        self.get(wanted.mode)
        if wanted.driver_options:
            raise NotImplementedYet(f"network driver option {', '.join(sorted(wanted.driver_options))}")

    async def plan(self, container: Container, run: int, ports: Sequence[PublishedPort]) -> NetworkPlan | None:
        """Lease an address and say what will be made; None where the run has no network of its own.

        The lease lasts until `release`.

        Raises:
            NoSuchNetwork, NoAddressLeft, HostError: nothing is leased.
        """
        wanted = container.options.network
        if not wanted.bridged:
            return None
        network = self.get(wanted.mode)
        lease = self._leases.lease(network, container.id, run, wanted.mac_address)
        try:
            return await self._port.plan(
                container.id,
                container.name,
                run,
                [Attachment(network, lease, aliases=wanted.aliases)],
                ports,
                wanted.dns_servers,
            )
        except BaseException:
            self._leases.release(container.id, run)
            raise

    async def open(self, plan: NetworkPlan) -> Sequence[Endpoint] | None:
        """Make the namespace of a recorded plan; answers what `attach` will, where that is known before.

        Raises:
            HostError: nothing is made.
        """
        return await self._port.open(plan)

    async def attach(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        """Make what a recorded plan says.

        Raises:
            HostError, LockTimeout: what was made is undone.
        """
        return await self._port.attach(plan)

    async def detach(self, plan: NetworkPlan) -> None:
        """Take away what a plan names, however much of it is there.

        Raises:
            HostError, LockTimeout: something is left.
        """
        await self._port.detach(plan)

    def release(self, container_id: str, run: int) -> None:
        """Give the addresses of a run back, after `detach`. Idempotent."""
        self._leases.release(container_id, run)

    async def reconcile(self, containers: Sequence[Container]) -> None:
        """Take away what no recorded run has; at the very first start, choose and record the networks.

        Raises:
            HostError: no subnet is free.
        """
        await self.prepare()
        recorded = _plans(containers)
        for key in sorted(await self._port.survey() - recorded.keys()):
            container_id, run = key
            log.warn("network of {container} run {run} belongs to nobody: removed", container=container_id, run=run)
            try:
                await self._port.detach(await self._port.plan(container_id, "", run, ()))
            except (HostError, LockTimeout) as error:
                log.error("network of {container}: {error}", container=container_id, error=error)
        for lease in self._leases.all():
            if (lease.container_id, lease.run) not in recorded:
                self._leases.release(lease.container_id, lease.run)
        await self._port.begin(recorded.values())

    async def end(self) -> None:
        """Nothing is attached or detached any more: take away what stands for the next run alone.

        Raises:
            HostError, LockTimeout: something is left, and the next start takes it away.
        """
        await self._port.end()


def _plans(containers: Iterable[Container]) -> Mapping[tuple[str, int], NetworkPlan]:
    """The network plans of all runs that may still have something of them."""
    runs = ((container.id, container.run) for container in containers)
    return {(container_id, run.number): run.network for container_id, run in runs if run and run.network}


def _network_json(network: Network) -> JsonValue:
    return {
        "id": network.id,
        "name": network.name,
        "driver": network.driver,
        "created": network.created.isoformat(),
        "interface": network.interface,
        "subnet": str(network.subnet) if network.subnet else "",
        "gateway": str(network.gateway) if network.gateway else "",
    }


def _networks(remembered: Any) -> dict[str, Network]:
    """What `_network_json` wrote; our own state, so its shape is not in doubt."""
    found = (
        Network(
            id=each["id"],
            name=each["name"],
            driver=each["driver"],
            created=datetime.fromisoformat(each["created"]),
            interface=each["interface"],
            subnet=IPv4Network(each["subnet"]) if each["subnet"] else None,
            gateway=IPv4Address(each["gateway"]) if each["gateway"] else None,
        )
        for each in remembered or ()
    )
    return {network.name: network for network in found}
