"""What the engine asks of a back end's networks, in the engine's own words.

We are the IPAM: the engine leases addresses (`engine.networks`), a plan holds all that will be made, the engine
commits the plan with the container's run, and only then is it carried out. The same plan undoes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from msgspec import Struct, field

from apiserver.engine.ports.publish import PublishedPort


class Network(Struct, frozen=True):
    """A network that containers can be on.

    Attributes:
        id: 64 hex digits.
        name: the back end's name, which plans and leases hold; what clients call it is for `engine.networks` to say.
        driver: `bridge`, `host` or `none`; only a bridge has `interface`, `subnet` and `gateway`.
    """

    id: str
    name: str
    driver: str
    created: datetime
    interface: str = ""
    subnet: IPv4Network | None = None
    gateway: IPv4Address | None = None
    internal: bool = False
    dns_enabled: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


class Lease(Struct, frozen=True):
    """An address that one run of a container has on one network, from before it is set up until it is gone."""

    network: str
    container_id: str
    run: int
    address: IPv4Address
    mac: str


class Attachment(Struct, frozen=True):
    """One network of a plan: what the interface is called inside, and under which other names it is found."""

    network: Network
    lease: Lease
    interface: str = "eth0"
    aliases: tuple[str, ...] = ()


class NetworkPlan(Struct, frozen=True):
    """All that a run's network will be made of: recorded before it is made.

    Attributes:
        namespace: optional fact: path of the network namespace that the plan makes, for the run's OCI config.
        firewall: optional fact: which driver writes the rules; who set up with it tears down with it.
    """

    container_id: str
    container_name: str
    run: int
    attachments: tuple[Attachment, ...]
    ports: tuple[PublishedPort, ...] = ()
    dns_servers: tuple[str, ...] = ()
    namespace: str = ""
    firewall: str = ""


class Endpoint(Struct, frozen=True):
    """One interface as it was made."""

    network: str
    interface: str
    address: IPv4Address
    prefix_length: int
    gateway: IPv4Address | None
    mac: str
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()


class Networks(Protocol):
    async def propose_bridge(self, name: str, interface: str) -> Network:
        """A new bridge network in the first subnet that nothing on this host uses; nothing is made yet.

        Raises:
            HostError: every candidate is taken.
        """
        ...

    async def plan(
        self,
        container_id: str,
        container_name: str,
        run: int,
        attachments: Sequence[Attachment],
        ports: Sequence[PublishedPort] = (),
        dns_servers: Sequence[str] = (),
    ) -> NetworkPlan:
        """Say what `attach` will make; nothing is made yet."""
        ...

    async def open(self, plan: NetworkPlan) -> Sequence[Endpoint] | None:
        """Make the namespace alone, so that a process can be made in it while `attach` does the rest.

        Answers what `attach` will answer; None where nobody knows before: a process is then made after it.

        Raises:
            HostError: nothing is made.
        """
        ...

    async def attach(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        """Make the namespace where it is not open yet, interfaces and rules; a failure undoes what was made so far.

        Answers one endpoint for each attachment, in the plan's order.

        Raises:
            HostError: the network tool says no; its words are in the error.
            LockTimeout: another set-up takes too long.
        """
        ...

    async def detach(self, plan: NetworkPlan) -> None:
        """Take away all that the plan names: whether or not it was made, by halves, twice, or with its namespace lost.

        Raises:
            HostError: something is still there; call again later.
            LockTimeout: another set-up takes too long.
        """
        ...

    async def begin(self, plans: Collection[NetworkPlan]) -> None:
        """Know what an earlier service has left standing for the next run: once, when all runs are reconciled.

        Args:
            plans: of the runs that there are.

        What cannot be taken over or away is logged.
        """
        ...

    async def end(self) -> None:
        """Take away what stands for the next run, unless there are runs: once, when nobody attaches or detaches more.

        Raises:
            HostError, LockTimeout: something is still there, and is taken over by the next `begin`.
        """
        ...

    async def survey(self) -> Set[tuple[str, int]]:
        """Which runs have something of a network here: container id and run, for reconcile to compare."""
        ...
