"""Networks by the real netavark; the tests have a network namespace of their own, so the machine is not touched."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shlex
import subprocess
from collections.abc import Callable, Coroutine
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import Clock, deferLater

from apiserver.config.host.programs import SEARCH_PATH, which
from apiserver.drivers.linux import netns
from apiserver.drivers.linux.netns import NetworkNamespaces
from apiserver.drivers.netavark import NFTABLES, Netavark
from apiserver.drivers.process import Programs
from apiserver.engine.names import new_id
from apiserver.engine.networks.leases import Leases
from apiserver.engine.ports.guard import BRIDGES
from apiserver.engine.ports.networks import Attachment, Network, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort, Transport
from apiserver.errors import HostError, ProgramMissing
from apiserver.local.networks.errors import NetworkFailed
from apiserver.local.networks.lingering import END_LIMIT, LINGER
from apiserver.local.networks.request import request_json
from apiserver.local.networks.service import DETACH_LIMIT, LocalNetworks
from apiserver.local.paths import Paths
from tests.fakes.guard import FakeGuard
from tests.fakes.machine import Machine

Test = Callable[[Path], Coroutine[Any, Any, None]]

_PROXY = """#!/bin/sh
echo "$*" >>{calls}
case "$*" in *$(cat {failing} 2>&1)) echo '{{"error": "no"}}'; exit 1;; esac
[ ! -e {hung} ] || {{ echo $$ >>{hung}; exec sleep 1000; }}
exec {netavark} "$@"
"""


def run(*argv: str, check: bool = True) -> str:
    return subprocess.run(argv, check=check, capture_output=True, text=True).stdout


def inside(plan: NetworkPlan, *argv: str, check: bool = True) -> str:
    return run("nsenter", f"--net={plan.namespace}", *argv, check=check)


def flush() -> None:
    """What an administrator does, or a firewall of his that starts anew."""
    run("nft", "flush", "ruleset", check=False)
    for table in ("filter", "nat"):
        run("iptables", "-t", table, "-F", check=False)


class World:
    """Networks over a run root of their own, with one bridge."""

    def __init__(self, runroot: Path) -> None:
        self.hung = runroot / "hung"
        """While it is there, netavark hangs; each that does adds a line."""
        self.failing = runroot / "failing"
        """How the arguments of a netavark end that fails."""
        self.calls = runroot / "calls"
        """The arguments of each netavark, a line for each."""
        (runroot / "bin").mkdir()
        netavark = runroot / "bin" / "netavark"
        netavark.write_text(
            _PROXY.format(calls=self.calls, failing=self.failing, hung=self.hung, netavark=which("netavark"))
        )
        netavark.chmod(0o755)
        self.programs = Programs(reactor, search_path=[str(netavark.parent), *SEARCH_PATH])
        paths = Paths(runroot / "root", runroot)
        self.netavark = Netavark(self.programs, runroot / "netavark")
        self.directory = paths.namespaces
        self.machine = Machine(Clock())
        self.paths = paths
        self.networks = self.again()
        self.leases = Leases()
        self.bridge: Network | None = None
        self.plans: list[NetworkPlan] = []

    def again(self) -> LocalNetworks:
        """Those of a service that is started after another was killed, whose time does not go on."""
        self.clock = Clock()
        return LocalNetworks(self.paths, self.programs, self.clock, FakeGuard(self.machine))

    async def propose(self) -> Network:
        return await self.networks.propose_bridge("t" + secrets.token_hex(2), f"t{secrets.token_hex(2)}x0")

    async def plan(self, *ports: PublishedPort, run: int = 1, bridge: Network | None = None) -> NetworkPlan:
        if self.bridge is None:
            self.bridge = await self.propose()
        bridge = bridge or self.bridge
        container = new_id()
        attachment = Attachment(bridge, self.leases.lease(bridge, container, run))
        plan = await self.networks.plan(container, f"name-{container[:6]}", run, [attachment], ports)
        self.plans.append(plan)
        return plan

    async def rules(self, plan: NetworkPlan) -> bool:
        return await self.netavark.has_rules(plan.container_id, plan.attachments[0].lease.address, plan.firewall)

    def own_rules(self) -> list[str]:
        """The rules of netavark and of the network, without those of its runs, as they are sorted."""
        lines = (run("nft", "-s", "list", "table", "inet", "netavark", check=False) + run("iptables-save")).splitlines()
        return sorted(line.strip() for line in lines if re.search("jump|-j|accept|masquerade|drop|mark", line))

    def has_bridge(self, bridge: Network | None = None) -> bool:
        bridge = bridge or self.bridge
        assert bridge is not None
        return bridge.interface in run("ip", "-o", "link")

    async def stands(self, bridge: Network | None = None) -> None:
        """Bring it to where a bridge stands and nobody is on it, after a run with a published port."""
        plan = await self.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18099), bridge=bridge)
        await self.networks.attach(plan)
        record = self.paths.bridges / f"{plan.attachments[0].network.interface}.json"
        while not record.exists() or not json.loads(record.read_bytes())["whole"]:
            await deferLater(reactor, 0.01)
        await self.networks.detach(plan)
        assert self.has_bridge(bridge)

    def nothing_stands(self) -> None:
        assert self.bridge is not None
        assert not self.has_bridge()
        assert not list(self.directory.iterdir())
        assert not list(self.paths.bridges.iterdir())
        rules = run("nft", "list", "ruleset", check=False) + run("iptables-save", check=False)
        assert str(self.bridge.subnet) not in rules
        assert self.bridge.interface not in rules
        # Chains are named after a hash of the name that netavark knows (iptables), or after the id (nftables).
        assert hashlib.sha512(self.bridge.interface.encode()).hexdigest()[:13].upper() not in rules
        assert f"nv_{self.bridge.id[:8]}" not in rules

    async def service_ends(self) -> None:
        """And what is done later is done by another."""
        ended, self.networks = self.networks, self.again()
        await ended.end()

    async def hangs(self, number: int) -> int:
        """Wait until so many netavarks hang; the process ID of the last."""
        while len(lines := self.hung.read_text().splitlines()) < number:
            await deferLater(reactor, 0.01)
        return int(lines[-1])

    async def end(self) -> None:
        self.hung.unlink(missing_ok=True)
        await self.service_ends()
        for plan in self.plans:
            await self.networks.detach(plan)
        await self.networks.begin(())
        await self.networks.end()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    made = World(tmp_path)
    yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.end()))
    assert not list(made.directory.glob("*")) if made.directory.exists() else True
    if made.bridge is not None:
        assert not made.has_bridge()


@pytest_twisted.ensureDeferred
async def test_a_run_has_the_address_and_the_mac_of_its_lease(world: World) -> None:
    plan = await world.plan()
    (endpoint,) = await world.networks.attach(plan)
    lease = plan.attachments[0].lease
    assert (endpoint.address, endpoint.mac, endpoint.prefix_length) == (lease.address, lease.mac, 16)
    assert endpoint.gateway == lease.address - 1
    shown = inside(plan, "ip", "addr", "show", "eth0")
    assert f"inet {lease.address}/16" in shown
    assert lease.mac in shown
    assert f"default via {endpoint.gateway}" in inside(plan, "ip", "route")
    assert await world.networks.survey() == {(plan.container_id, 1)}


@pytest_twisted.ensureDeferred
async def test_a_run_on_an_ipv4_network_has_no_ipv6_address_and_takes_none(world: World) -> None:
    """Class 25: a neighbour's router advertisement must not give it an address and a route."""
    plan = await world.plan()
    await world.networks.attach(plan)
    assert "inet6" not in inside(plan, "ip", "addr", "show", "eth0")
    assert inside(plan, "cat", "/proc/sys/net/ipv6/conf/eth0/disable_ipv6").strip() == "1"


@pytest_twisted.ensureDeferred
async def test_with_each_run_its_rules_and_namespace_go_and_the_bridge_with_the_service(world: World) -> None:
    first, second = await world.plan(), await world.plan()
    for plan in (first, second):
        await world.networks.attach(plan)
    assert f"{second.attachments[0].lease.address}" in inside(second, "ip", "addr")
    inside(first, "busybox", "ping", "-c1", "-W2", str(second.attachments[0].lease.address))
    await world.networks.detach(first)
    assert world.has_bridge()
    await world.networks.detach(second)
    assert not await world.rules(second)
    assert await world.networks.survey() == frozenset()
    assert world.has_bridge()
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_a_published_port_is_reached_from_this_host_and_from_another_run(world: World) -> None:
    plan = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18080))
    other = await world.plan()
    (endpoint,) = await world.networks.attach(plan)
    await world.networks.attach(other)
    with subprocess.Popen(
        ["nsenter", f"--net={plan.namespace}", "busybox", "nc", "-ll", "-p", "80", "-e", "echo", "answer"],
    ) as server:
        try:
            while ":80 " not in inside(plan, "busybox", "netstat", "-ltn"):
                await deferLater(reactor, 0.05)
            fetch = ("busybox", "nc", "-w", "5")
            assert run(*fetch, "127.0.0.1", "18080").strip() == "answer"
            assert inside(other, *fetch, str(endpoint.address), "80").strip() == "answer"
            assert inside(other, *fetch, str(endpoint.gateway), "18080").strip() == "answer"
        finally:
            server.kill()


@pytest_twisted.ensureDeferred
async def test_detach_is_right_twice_before_any_attach_and_after_the_namespace_was_lost(world: World) -> None:
    plan = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18081))
    await world.networks.detach(plan)
    await world.networks.attach(plan)
    assert await world.rules(plan)
    netns.remove(Path(plan.namespace))  # as after a crash; the interface goes with it
    Path(plan.namespace).touch()
    await world.networks.detach(plan)
    assert not await world.rules(plan)
    await world.networks.detach(plan)
    assert not Path(plan.namespace).exists()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("later", [False, True], ids=["same", "later"])
@pytest.mark.parametrize("left", ["nothing", "namespace", "rules"])
async def test_while_a_bridge_stands_a_second_look_publishes_no_port_again(
    world: World, left: str, later: bool
) -> None:
    """Not even for a moment. Who died in the middle has left the namespace without an interface, or only the rules.

    A later service looks before it begins.
    """
    await world.stands()
    plan = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18084))
    await world.networks.attach(plan)
    if left == "nothing":
        await world.networks.detach(plan)
    elif left == "namespace":
        await world.netavark.teardown(Path(plan.namespace), request_json(plan), plan.firewall)
    else:
        netns.remove(Path(plan.namespace))
    if later:
        world.networks = world.again()
    world.calls.write_text("")
    await world.networks.detach(plan)
    assert " setup " not in world.calls.read_text()
    assert not await world.rules(plan)
    assert await world.networks.survey() == frozenset()
    rules = run("nft", "list", "ruleset", check=False) + run("iptables-save", check=False)
    assert "18084" not in rules
    assert not [path for path in world.paths.runroot.glob("netavark/**/*") if plan.container_id in path.name]


@pytest_twisted.ensureDeferred
async def test_a_jump_that_a_netavark_left_when_it_was_killed_is_found_and_taken_away(world: World) -> None:
    """It takes away the rule with the run's address before the last one, which has its ID alone; nft, all at once."""
    await world.stands()
    plan = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18085))
    await world.networks.attach(plan)
    saved = "" if plan.firewall == NFTABLES else run("iptables-save", "-t", "nat")
    jumps = [line for line in saved.splitlines() if plan.container_id in line]
    assert len(jumps) == bool(saved)
    await world.netavark.teardown(Path(plan.namespace), request_json(plan), plan.firewall)
    for jump in jumps:
        run("iptables", "-t", "nat", *shlex.split(jump))
    netns.remove(Path(plan.namespace))
    await world.networks.detach(plan)
    assert "18085" not in run("nft", "list", "ruleset", check=False) + run("iptables-save", check=False)


@pytest_twisted.ensureDeferred
async def test_a_lost_namespace_does_not_disturb_the_other_runs(world: World) -> None:
    lost = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18082))
    kept = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18083))
    for plan in (lost, kept):
        await world.networks.attach(plan)
    netns.remove(Path(lost.namespace))
    await world.networks.detach(lost)
    assert (await world.rules(lost), await world.rules(kept)) == (False, True)
    again = await world.plan()
    await world.networks.attach(again)


@pytest_twisted.ensureDeferred
async def test_a_set_up_that_fails_leaves_nothing_and_says_why(world: World) -> None:
    good = await world.plan()
    attachment = good.attachments[0]
    elsewhere = replace(attachment, lease=replace(attachment.lease, address=IPv4Address("192.0.2.7"), mac="nonsense"))
    bad = replace(good, attachments=(elsewhere,))
    with pytest.raises(NetworkFailed) as failed:
        await world.networks.attach(bad)
    assert failed.value.subject.startswith("netavark:")
    assert await world.networks.survey() == frozenset()
    assert not world.has_bridge()
    assert len(await world.networks.attach(good)) == 1


@pytest_twisted.ensureDeferred
async def test_a_left_over_namespace_of_the_same_run_is_replaced(world: World) -> None:
    plan = await world.plan()
    await world.networks.attach(plan)
    before = Path(plan.namespace).stat().st_ino
    await world.networks.detach(plan)
    world.directory.mkdir(exist_ok=True)
    await NetworkNamespaces(world.programs).create(Path(plan.namespace))
    await world.networks.attach(plan)
    assert Path(plan.namespace).stat().st_ino != before or netns.exists(Path(plan.namespace))


@pytest_twisted.ensureDeferred
async def test_many_runs_at_once_all_come_and_all_go(world: World) -> None:
    plans = [await world.plan() for _ in range(6)]
    done = await gatherResults([Deferred.fromCoroutine(world.networks.attach(plan)) for plan in plans])
    assert len({endpoint.address for (endpoint,) in done}) == 6
    await gatherResults([Deferred.fromCoroutine(world.networks.detach(plan)) for plan in plans])
    await world.service_ends()
    assert not world.has_bridge()


@pytest_twisted.ensureDeferred
async def test_runs_come_and_go_beside_each_other_on_a_bridge_that_stands(world: World) -> None:
    """Each has its own rules while it is there, and takes away no other's."""
    await world.stands()

    async def turns(number: int) -> None:
        for turn in range(3):
            plan = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18100 + 10 * number + turn))
            (endpoint,) = await world.networks.attach(plan)
            assert f"inet {endpoint.address}/16" in inside(plan, "ip", "addr", "show", "eth0")
            assert await world.rules(plan)
            await world.networks.detach(plan)
            assert not await world.rules(plan)

    await gatherResults([Deferred.fromCoroutine(turns(number)) for number in range(6)])
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_a_bridge_that_nobody_is_on_stands_for_a_while(world: World) -> None:
    await world.stands()
    assert world.machine.unsettled == {BRIDGES}
    world.clock.advance(LINGER - 1)
    plan = await world.plan()
    await world.networks.attach(plan)
    assert world.machine.unsettled == set()
    world.clock.advance(LINGER)
    assert world.has_bridge()
    await world.networks.detach(plan)
    assert world.machine.unsettled == {BRIDGES}
    world.clock.advance(LINGER)
    while world.machine.unsettled:
        await deferLater(reactor, 0.01)
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_a_bridge_goes_though_who_was_to_be_on_it_failed_to(world: World) -> None:
    await world.stands()
    good = await world.plan()
    attachment = good.attachments[0]
    bad = replace(good, attachments=(replace(attachment, lease=replace(attachment.lease, mac="nonsense")),))
    with pytest.raises(NetworkFailed):
        await world.networks.attach(bad)
    assert world.machine.unsettled == {BRIDGES}
    world.clock.advance(LINGER)
    while world.machine.unsettled:
        await deferLater(reactor, 0.01)
    world.nothing_stands()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("later", [False, True], ids=["same", "later"])
async def test_a_bridge_that_nobody_is_on_goes_also_where_runs_are_on_others(world: World, later: bool) -> None:
    kept = await world.plan()
    await world.networks.attach(kept)
    other = await world.propose()
    await world.stands(other)
    assert world.machine.unsettled == {BRIDGES}
    if later:
        world.networks = world.again()
        await world.networks.begin([kept])
    world.clock.advance(LINGER)
    while world.machine.unsettled:
        await deferLater(reactor, 0.01)
    assert (world.has_bridge(other), world.has_bridge()) == (False, True)
    inside(kept, "busybox", "ping", "-c1", "-W2", str(kept.attachments[0].network.gateway))


@pytest_twisted.ensureDeferred
async def test_a_bridge_that_cannot_be_taken_down_does_not_keep_the_others(world: World) -> None:
    bridges = [await world.propose() for _ in range(3)]
    for bridge in bridges:
        await world.stands(bridge)
    world.failing.write_text(f"bridge-{bridges[1].interface}")
    world.clock.advance(LINGER)
    while world.has_bridge(bridges[0]) or world.has_bridge(bridges[2]):
        await deferLater(reactor, 0.01)
    assert world.has_bridge(bridges[1])
    assert world.machine.unsettled == {BRIDGES}
    with pytest.raises(HostError, match=bridges[1].interface):
        await world.networks.end()
    assert world.machine.unsettled == {BRIDGES}
    world.failing.unlink()
    world.networks = world.again()
    await world.networks.begin(())
    assert (world.has_bridge(bridges[1]), world.machine.unsettled) == (False, set())


@pytest_twisted.ensureDeferred
async def test_a_later_service_takes_over_what_stands_with_or_without_runs(world: World) -> None:
    await world.stands()
    plan = await world.plan()
    (endpoint,) = await world.networks.attach(plan)
    world.networks = world.again()
    await world.networks.begin(())
    await world.service_ends()  # it leaves, and the run stays
    assert world.has_bridge()
    inside(plan, "busybox", "ping", "-c1", "-W2", str(endpoint.gateway))
    world.networks = world.again()
    await world.networks.detach(plan)
    await world.networks.begin(())
    assert (world.has_bridge(), world.machine.unsettled) == (True, {BRIDGES})
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("cut", ["intended", "opened", "wired", "going", "gone"])
async def test_what_was_cut_short_of_standing_is_taken_away(world: World, cut: str) -> None:
    """Killed at any moment while a bridge is held up, or let go of: the next service has nothing left of it."""
    await world.stands()
    assert world.bridge is not None
    record = world.paths.bridges / f"{world.bridge.interface}.json"
    namespace = world.directory / f"bridge-{world.bridge.interface}"
    whole = json.loads(record.read_bytes())
    record.write_text(json.dumps(whole | {"whole": cut in ("going", "gone")}))
    if cut in ("intended", "opened", "gone"):
        netns.remove(namespace)
    if cut == "opened":
        await NetworkNamespaces(world.programs).create(namespace)
    if cut == "going":
        run("nsenter", f"--net={namespace}", "ip", "link", "del", "eth0")
    if cut == "gone":
        run("ip", "link", "del", world.bridge.interface)
        await NetworkNamespaces(world.programs).create(namespace)
    world.networks = world.again()
    await world.networks.begin(())
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_a_service_killed_while_it_lets_go_has_said_that_the_bridge_is_not_whole(world: World) -> None:
    """Who took it over as whole would set up runs beside each other on a bridge that goes with any of them."""
    await world.stands()
    assert world.bridge is not None
    record = world.paths.bridges / f"{world.bridge.interface}.json"
    ending = Deferred.fromCoroutine(world.networks.end())
    ending.cancel()
    with pytest.raises(CancelledError):
        await ending
    assert json.loads(record.read_bytes())["whole"] is False
    assert BRIDGES in world.machine.unsettled, "the guard has it finished"
    world.networks = world.again()
    await world.networks.begin(())
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_a_netavark_that_hangs_holds_up_no_stop_and_nothing_is_forgotten(world: World) -> None:
    """Neither of the run that it works for, nor of one that waits for its turn; both can be taken down later."""
    await world.stands()
    plans = [await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18120 + number)) for number in range(2)]
    for plan in plans:
        await world.networks.attach(plan)
    world.hung.touch()
    stops = [Deferred.fromCoroutine(world.networks.detach(plan)) for plan in plans]
    pid = await world.hangs(1)
    world.clock.advance(DETACH_LIMIT)
    assert [stop.called for stop in stops] == [True, True]
    for stop in stops:
        with pytest.raises(HostError, match="took longer"):
            await stop
    assert await world.networks.survey() == {(plan.container_id, 1) for plan in plans}
    while Path(f"/proc/{pid}").exists():  # and is not at work beside the next
        await deferLater(reactor, 0.01)
    world.hung.unlink()
    for plan in plans:
        await world.networks.detach(plan)
        assert not await world.rules(plan)
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("at", ["bridge", "teardown", "set-up"])
async def test_a_netavark_that_hangs_holds_up_no_service_that_stops(world: World, at: str) -> None:
    """Whatever it is in the middle of is the guard's, and the netavark that hangs is gone then."""
    await world.stands()
    plan = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18122))
    if at == "teardown":
        await world.networks.attach(plan)
    world.hung.touch()
    begun = {"bridge": None, "teardown": world.networks.detach, "set-up": world.networks.attach}[at]
    work = Deferred.fromCoroutine(begun(plan)) if begun else None
    if work is not None:
        await world.hangs(1)
    ending = Deferred.fromCoroutine(world.networks.end())
    pid = await world.hangs(1)
    world.clock.advance(END_LIMIT)
    assert ending.called
    with pytest.raises(HostError, match="took longer"):
        await ending
    if work is not None:
        assert work.called
        with pytest.raises(CancelledError):
            await work
    assert BRIDGES in world.machine.unsettled
    while Path(f"/proc/{pid}").exists():
        await deferLater(reactor, 0.01)
    world.hung.unlink()
    world.networks = world.again()
    await world.networks.detach(plan)
    await world.networks.begin(())
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_a_bridge_that_somebody_deleted_is_made_again(world: World) -> None:
    await world.stands()
    assert world.bridge is not None
    run("ip", "link", "del", world.bridge.interface)
    plans = [await world.plan() for _ in range(3)]
    await gatherResults([Deferred.fromCoroutine(world.networks.attach(plan)) for plan in plans])
    inside(plans[0], "busybox", "ping", "-c1", "-W2", str(plans[2].attachments[0].lease.address))
    for plan in plans:
        await world.networks.detach(plan)
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_after_a_flush_of_all_rules_each_rule_is_there_once(world: World) -> None:
    """Several runs that start at once on a bridge that stands do not all make what is missing."""
    await world.stands()
    before = world.own_rules()
    assert before
    flush()
    assert not world.own_rules()
    plans = [await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18130 + number)) for number in range(8)]
    await gatherResults([Deferred.fromCoroutine(world.networks.attach(plan)) for plan in plans])
    for plan in plans:
        assert await world.rules(plan)
        await world.networks.detach(plan)
    assert world.own_rules() == before
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_what_was_flushed_can_be_taken_down(world: World) -> None:
    await world.stands()
    plan = await world.plan(PublishedPort(80, Transport.TCP, "0.0.0.0", 18139))
    await world.networks.attach(plan)
    flush()
    await world.networks.detach(plan)
    await world.service_ends()
    world.nothing_stands()


@pytest_twisted.ensureDeferred
async def test_runs_are_set_up_beside_each_other_while_the_networks_own_rules_are_there(world: World) -> None:
    """By the name that netavark gives their chain; with iptables they always are one at a time."""
    await world.stands()
    plan = await world.plan()
    together = plan.firewall == NFTABLES
    assert world.networks._bridges.independent(plan) is together
    if together:
        run("nft", "flush", "table", "inet", "netavark")
        assert not world.networks._bridges.independent(plan)
    flush()
    assert not world.networks._bridges.independent(plan)


@pytest_twisted.ensureDeferred
async def test_a_new_bridge_avoids_what_this_host_has(world: World) -> None:
    plan = await world.plan()
    await world.networks.attach(plan)
    assert world.bridge is not None
    second = await world.networks.propose_bridge("other", world.bridge.interface)
    assert second.subnet is not None
    assert world.bridge.subnet is not None
    assert not second.subnet.overlaps(world.bridge.subnet)
    assert second.interface != world.bridge.interface


@pytest_twisted.ensureDeferred
async def test_without_a_firewall_program_it_says_what_is_missing(tmp_path: Path) -> None:
    for program in ("netavark", "unshare"):
        (tmp_path / program).symlink_to(Programs(reactor).find(program))
    programs = Programs(reactor, search_path=[str(tmp_path)])
    with pytest.raises(HostError, match="iptables"):
        await Netavark(programs, tmp_path).choose_firewall()


@pytest_twisted.ensureDeferred
async def test_without_netavark_nothing_is_made_and_what_was_not_made_can_be_taken_down(
    world: World, tmp_path: Path
) -> None:
    """Also where another run holds the bridge, so that there is something to look at."""
    await world.networks.attach(await world.plan())
    plan = await world.plan()
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("iptables", "iptables-save", "nft"):
        if path := which(name):
            (tools / name).symlink_to(path)
    paths, guard = Paths(tmp_path / "root", tmp_path), FakeGuard(Machine(Clock()))
    networks = LocalNetworks(paths, Programs(reactor, search_path=[str(tools)]), Clock(), guard)
    with pytest.raises(ProgramMissing):
        await networks.attach(plan)
    assert await networks.survey() == {(world.plans[0].container_id, 1)}
    await networks.detach(plan)
