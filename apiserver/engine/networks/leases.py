"""Addresses of a network: who has which, and which comes next. We are the IPAM, nobody below chooses one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from apiserver.engine.ports.networks import Lease, Network
from apiserver.errors import Conflict


class NoAddressLeft(Conflict):
    cause = "no available IPv4 addresses"
    docker = libpod = "{cause} on network {subject}"


def mac_of(address: IPv4Address) -> str:
    """A locally administered MAC made of the address.

    Whoever has the address later has the same MAC, so that no neighbour's table is ever stale.
    """
    return "02:42:" + ":".join(f"{part:02x}" for part in address.packed)


class Leases:
    """All leases of this engine; each lasts from before a run is recorded until the run is cleaned up."""

    def __init__(self, leases: Iterable[Lease] = ()) -> None:
        self._leases: dict[tuple[str, IPv4Address], Lease] = {}
        self._latest: dict[str, int] = {}
        for lease in leases:
            self._leases[lease.network, lease.address] = lease

    def lease(self, network: Network, container_id: str, run: int, mac: str = "") -> Lease:
        """The next free address after the latest one given: one that was given back rests for as long as it can.

        Args:
            mac: as asked for; empty for one made of the address.

        Raises:
            NoAddressLeft
        """
        subnet = network.subnet
        assert subnet is not None
        first, last = int(subnet.network_address) + 1, int(subnet.broadcast_address) - 1
        count = last - first + 1
        start = self._latest.get(network.name, first - 1) + 1
        for step in range(count):
            number = first + (start - first + step) % count
            address = IPv4Address(number)
            if address != network.gateway and (network.name, address) not in self._leases:
                self._latest[network.name] = number
                lease = Lease(network.name, container_id, run, address, mac.lower() or mac_of(address))
                self._leases[network.name, address] = lease
                return lease
        raise NoAddressLeft(network.name)

    def release(self, container_id: str, run: int) -> None:
        """Give back all that a run has. Idempotent."""
        for lease in self.of(container_id, run):
            del self._leases[lease.network, lease.address]

    def of(self, container_id: str, run: int) -> Sequence[Lease]:
        return [each for each in self._leases.values() if (each.container_id, each.run) == (container_id, run)]

    def all(self) -> Sequence[Lease]:
        return list(self._leases.values())
