from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.model import Container, Run
from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options import network as options
from apiserver.engine.events.log import EventLog
from apiserver.engine.networks.leases import Leases, NoAddressLeft, mac_of
from apiserver.engine.networks.service import Networks
from apiserver.engine.ports.networks import Network, NetworkPlan
from apiserver.engine.ports.records import Change, PutSetting, Remembered
from apiserver.errors import HostError, NoSuchNetwork, NotImplementedYet
from apiserver.jsonvalue import JsonValue
from tests.fakes.networks import FakeNetworks
from tests.support.results import result_of

NOW = datetime(2024, 5, 6, tzinfo=UTC)
SMALL = Network("a" * 64, "small", "bridge", NOW, "small0", IPv4Network("10.1.0.0/29"), IPv4Address("10.1.0.1"))


class Journal(EventLog):
    def __init__(self) -> None:
        self.settings: dict[str, JsonValue] = {}

    async def commit(self, *changes: Change) -> None:
        for change in changes:
            assert isinstance(change, PutSetting)
            self.settings[change.name] = change.value


def container(digit: str, mode: str = options.DEFAULT, **network: object) -> Container:
    chosen = options.Network(mode=mode, **network)  # type: ignore[arg-type]  # fields of a dataclass
    return Container(
        id=digit * 64,
        name=f"name-{digit}",
        created=NOW,
        image_id="1" * 64,
        image_name="x",
        options=replace(ContainerOptions(), network=chosen),
    )


def service(
    port: FakeNetworks,
    journal: Journal | None = None,
    containers: Sequence[Container] = (),
    remembered: JsonValue = None,
) -> Networks:
    settings: dict[str, JsonValue] = {"networks": remembered} if remembered else {}
    networks = Networks(port, journal or Journal(), Remembered(containers=tuple(containers), settings=settings))
    result_of(networks.prepare())
    return networks


def planned(networks: Networks, one: Container, run: int = 1) -> NetworkPlan:
    plan = result_of(networks.plan(one, run, ()))
    assert plan is not None
    return plan


def test_the_first_start_records_three_networks_and_later_ones_take_them_as_they_are() -> None:
    journal = Journal()
    first = service(FakeNetworks("10.90.0.0/16"), journal)
    assert [(each.name, each.driver) for each in first.all()] == [
        ("apiserver", "bridge"),
        ("host", "host"),
        ("none", "none"),
    ]
    later = service(FakeNetworks("10.91.0.0/16"), remembered=journal.settings["networks"])
    assert later.all() == first.all()
    assert later.get("bridge").subnet == IPv4Network("10.90.0.0/16")


@pytest.mark.parametrize("name", ["bridge", "podman", "default", "apiserver", "b" * 64, "b" * 12])
def test_the_default_network_answers_to_each_of_its_names(name: str) -> None:
    assert service(FakeNetworks()).get(name).name == "apiserver"


@pytest.mark.parametrize("name", ["nope", "", "b" * 65, "0123"])
def test_an_unknown_network_is_told_in_dockers_words(name: str) -> None:
    networks = service(FakeNetworks())
    networks._networks = {key: replace(each, id="b" * 64) for key, each in networks._networks.items()}
    with pytest.raises(NoSuchNetwork) as missing:
        networks.get(name)
    assert missing.value.docker.format(subject=missing.value.subject) == f"network {name} not found"


@pytest.mark.parametrize("mode", ["none", "host"])
def test_without_a_network_of_its_own_a_run_has_no_plan_and_no_lease(mode: str) -> None:
    assert result_of(service(FakeNetworks()).plan(container("c", mode), 1, ())) is None


def test_a_plan_leases_an_address_with_a_mac_until_it_is_released() -> None:
    networks = service(FakeNetworks())
    first, second = planned(networks, container("c")), planned(networks, container("d"))
    assert [str(plan.attachments[0].lease.address) for plan in (first, second)] == ["10.89.0.2", "10.89.0.3"]
    assert first.attachments[0].lease.mac == "02:42:0a:59:00:02"
    networks.release("c" * 64, 1)
    networks.release("c" * 64, 1)
    assert str(planned(networks, container("e")).attachments[0].lease.address) == "10.89.0.4"


def test_a_mac_that_was_asked_for_is_used() -> None:
    plan = planned(service(FakeNetworks()), container("c", mac_address="02:11:22:AA:BB:CC"))
    assert plan.attachments[0].lease.mac == "02:11:22:aa:bb:cc"


def test_a_plan_that_fails_leases_nothing() -> None:
    class Failing(FakeNetworks):
        async def plan(self, *_: object, **__: object) -> NetworkPlan:
            raise HostError("no firewall")

    networks = service(Failing())
    with pytest.raises(HostError):
        result_of(networks.plan(container("c"), 1, ()))
    assert not networks._leases.all()


def test_leases_of_recorded_runs_are_taken_over_at_start_and_not_given_twice() -> None:
    first = service(FakeNetworks())
    plan = planned(first, container("c"))
    recorded = replace(container("c"), run=Run(1, network=plan))
    later = service(FakeNetworks(), containers=[recorded])
    assert planned(later, container("d")).attachments[0].lease.address != plan.attachments[0].lease.address


def test_reconcile_takes_away_what_no_recorded_run_has_and_nothing_else() -> None:
    port = FakeNetworks()
    networks = service(port)
    kept, stray = planned(networks, container("c")), planned(networks, container("d"))
    for plan in (kept, stray):
        result_of(networks.attach(plan))
    result_of(networks.reconcile([replace(container("c"), run=Run(1, network=kept)), container("d")]))
    assert set(port.attached) == port.found == {("c" * 64, 1)}
    assert [lease.container_id for lease in networks._leases.all()] == ["c" * 64]


def test_reconcile_goes_on_after_one_that_cannot_be_taken_away() -> None:
    port = FakeNetworks()
    networks = service(port)
    for digit in "cd":
        result_of(networks.attach(planned(networks, container(digit))))
    port.detach_fails = HostError("busy")
    result_of(networks.reconcile([]))
    assert len(port.attached) == 1


def test_a_network_or_an_option_that_is_not_there_is_refused_at_create() -> None:
    networks = service(FakeNetworks())
    networks.check(options.Network())
    with pytest.raises(NoSuchNetwork):
        networks.check(options.Network(mode="nope"))
    with pytest.raises(NotImplementedYet, match="mtu"):
        networks.check(options.Network(driver_options={"mtu": "9000"}))


def test_a_full_network_has_no_address_left_and_one_given_back_is_found_again() -> None:
    leases = Leases()
    given = [leases.lease(SMALL, "c" * 64, run) for run in range(5)]
    assert [str(lease.address) for lease in given] == [f"10.1.0.{number}" for number in range(2, 7)]
    with pytest.raises(NoAddressLeft) as full:
        leases.lease(SMALL, "c" * 64, 9)
    assert full.value.docker.format(subject="small", cause=full.value.cause) == (
        "no available IPv4 addresses on network small"
    )
    leases.release("c" * 64, 3)
    assert leases.lease(SMALL, "d" * 64, 1).address == given[3].address


def test_the_same_address_has_the_same_mac() -> None:
    assert mac_of(IPv4Address("10.89.1.255")) == "02:42:0a:59:01:ff"
