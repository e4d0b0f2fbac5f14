"""Networks in memory: what is attached now, and failures on demand."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from datetime import UTC, datetime
from ipaddress import IPv4Network

from apiserver.engine.ports.networks import Attachment, Endpoint, Network, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort
from apiserver.errors import HostError


class FakeNetworks:
    """Attributes:
    attached: the plans carried out and not undone, by container id and run.
    begun: whether it was asked what an earlier service left standing.
    found: the runs that there were then.
    ended: whether nobody attaches more.
    fails: raised by the next `attach`, or `detach` where `detach_fails`.
    """

    def __init__(self, subnet: str = "10.89.0.0/16") -> None:
        self._subnet = IPv4Network(subnet)
        self.attached: dict[tuple[str, int], NetworkPlan] = {}
        self.begun = False
        self.found: set[tuple[str, int]] = set()
        self.ended = False
        self.fails: HostError | None = None
        self.detach_fails: HostError | None = None

    async def propose_bridge(self, name: str, interface: str) -> Network:
        return Network(
            id="b" * 64,
            name=name,
            driver="bridge",
            created=datetime(2024, 5, 6, tzinfo=UTC),
            interface=interface,
            subnet=self._subnet,
            gateway=self._subnet[1],
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
        namespace = f"/fake/netns/{container_id}-{run}"
        return NetworkPlan(
            container_id, container_name, run, tuple(attachments), tuple(ports), tuple(dns_servers), namespace, "fake"
        )

    async def open(self, plan: NetworkPlan) -> Sequence[Endpoint] | None:
        self.attached[plan.container_id, plan.run] = plan
        return [_endpoint(each) for each in plan.attachments]

    async def attach(self, plan: NetworkPlan) -> Sequence[Endpoint]:
        if self.fails is not None:
            failure, self.fails = self.fails, None
            self.attached.pop((plan.container_id, plan.run), None)
            raise failure
        self.attached[plan.container_id, plan.run] = plan
        return [_endpoint(each) for each in plan.attachments]

    async def detach(self, plan: NetworkPlan) -> None:
        if self.detach_fails is not None:
            failure, self.detach_fails = self.detach_fails, None
            raise failure
        self.attached.pop((plan.container_id, plan.run), None)

    async def begin(self, plans: Collection[NetworkPlan]) -> None:
        self.begun = True
        self.found = {(plan.container_id, plan.run) for plan in plans}

    async def end(self) -> None:
        self.ended = True

    async def survey(self) -> Set[tuple[str, int]]:
        return frozenset(self.attached)


def _endpoint(attachment: Attachment) -> Endpoint:
    network, lease = attachment.network, attachment.lease
    assert network.subnet is not None
    return Endpoint(
        network.name, attachment.interface, lease.address, network.subnet.prefixlen, network.gateway, lease.mac
    )
