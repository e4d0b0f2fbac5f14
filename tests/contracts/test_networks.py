"""What every `Networks` port does, the fake and this machine's with netavark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.drivers.process import Programs
from apiserver.engine.names import new_id
from apiserver.engine.networks.leases import Leases
from apiserver.engine.ports.networks import Attachment, Networks
from apiserver.local.networks.service import LocalNetworks
from apiserver.local.paths import Paths
from tests.fakes.guard import FakeGuard
from tests.fakes.machine import Machine
from tests.fakes.networks import FakeNetworks


@pytest.fixture(params=["fake", "local"])
def networks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Networks]:
    if request.param == "fake":
        yield FakeNetworks()
    else:
        local = LocalNetworks(Paths(tmp_path, tmp_path), Programs(reactor), reactor, FakeGuard(Machine(Clock())))
        yield local
        pytest_twisted.blockon(Deferred.fromCoroutine(local.end()))


@pytest_twisted.ensureDeferred
async def test_a_proposed_bridge_has_all_that_a_lease_needs(networks: Networks) -> None:
    bridge = await networks.propose_bridge("contract", "contract0")
    assert (bridge.name, bridge.driver, bridge.interface, len(bridge.id)) == ("contract", "bridge", "contract0", 64)
    assert bridge.subnet is not None
    assert bridge.gateway == bridge.subnet[1]


@pytest_twisted.ensureDeferred
async def test_what_is_planned_is_made_seen_and_taken_away(networks: Networks) -> None:
    bridge = await networks.propose_bridge("contract", "contract0")
    container = new_id()
    lease = Leases().lease(bridge, container, 3)
    plan = await networks.plan(container, "name", 3, [Attachment(bridge, lease)])
    assert (plan.container_id, plan.run, plan.attachments[0].lease) == (container, 3, lease)
    assert plan.namespace
    assert plan.firewall
    assert await networks.survey() == frozenset()
    (endpoint,) = await networks.attach(plan)
    try:
        assert (endpoint.network, endpoint.address, endpoint.mac) == ("contract", lease.address, lease.mac)
        assert (endpoint.gateway, endpoint.prefix_length) == (bridge.gateway, 16)
        assert await networks.survey() == {(container, 3)}
    finally:
        await networks.detach(plan)
    assert await networks.survey() == frozenset()
    await networks.detach(plan)


@pytest_twisted.ensureDeferred
async def test_what_is_foreseen_with_dns_servers_of_the_clients_is_so(networks: Networks) -> None:
    bridge = await networks.propose_bridge("contract", "contract0")
    container = new_id()
    attachments = [Attachment(bridge, Leases().lease(bridge, container, 1))]
    plan = await networks.plan(container, "name", 1, attachments, dns_servers=["192.0.2.1"])
    foreseen = await networks.open(plan)
    try:
        made = await networks.attach(plan)
        assert foreseen is None or list(foreseen) == list(made)
    finally:
        await networks.detach(plan)


@pytest_twisted.ensureDeferred
async def test_what_is_opened_first_becomes_what_was_foreseen(networks: Networks) -> None:
    bridge = await networks.propose_bridge("contract", "contract0")
    container = new_id()
    plan = await networks.plan(container, "name", 1, [Attachment(bridge, Leases().lease(bridge, container, 1))])
    foreseen = await networks.open(plan)
    try:
        assert await networks.survey() == {(container, 1)}
        inode = Path(plan.namespace).stat().st_ino if Path(plan.namespace).exists() else None
        assert await networks.attach(plan) == foreseen
        if inode is not None:
            assert Path(plan.namespace).stat().st_ino == inode, "a process may be in it by now"
    finally:
        await networks.detach(plan)
    assert await networks.survey() == frozenset()


@pytest_twisted.ensureDeferred
async def test_what_was_only_opened_is_taken_away(networks: Networks) -> None:
    bridge = await networks.propose_bridge("contract", "contract0")
    container = new_id()
    plan = await networks.plan(container, "name", 1, [Attachment(bridge, Leases().lease(bridge, container, 1))])
    await networks.open(plan)
    await networks.detach(plan)
    assert await networks.survey() == frozenset()


@pytest_twisted.ensureDeferred
async def test_a_stray_without_attachments_can_be_taken_away(networks: Networks) -> None:
    await networks.detach(await networks.plan(new_id(), "", 1, ()))
