"""hosts and resolv.conf of a container."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from apiserver.engine.containers.options import Network
from apiserver.engine.ports.networks import Endpoint
from apiserver.errors import InvalidParameter
from apiserver.local.runs import netfiles

ETH0 = Endpoint(
    "apiserver",
    "eth0",
    IPv4Address("10.89.0.5"),
    16,
    IPv4Address("10.89.0.1"),
    "92:00:00:00:00:01",
    dns_servers=("10.89.0.1",),
    dns_search=("dns.podman",),
)
NO_DNS = Endpoint("apiserver", "eth0", IPv4Address("10.89.0.5"), 16, IPv4Address("10.89.0.1"), "92:00:00:00:00:01")
HOST_RESOLV = "# comment\nnameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch lan\noptions edns0 trust-ad\n"


def hosts(network: Network, *endpoints: Endpoint) -> list[str]:
    text = netfiles.hosts(network, endpoints, hostname="box", name="web", host_file="1.2.3.4 hostline")
    return text.splitlines()


def test_a_bridged_container_knows_itself_and_its_host() -> None:
    lines = hosts(Network(), ETH0)
    assert lines[0] == "127.0.0.1\tlocalhost"
    assert "10.89.0.1\thost.containers.internal host.docker.internal" in lines
    assert lines[-1] == "10.89.0.5\tbox web"


def test_its_name_with_the_domain_comes_before_the_name_alone() -> None:
    text = netfiles.hosts(Network(), [ETH0], hostname="box", domain="example.org", name="web", host_file="")
    assert text.splitlines()[-1] == "10.89.0.5\tbox.example.org box web"


def test_extra_hosts_come_with_the_gateway_where_it_is_asked_for() -> None:
    network = Network(extra_hosts=("db:10.0.0.9", "six:::1", "br=[2001:db8::1]", "host.docker.internal:host-gateway"))
    lines = hosts(network, ETH0)
    for line in ("10.0.0.9\tdb", "::1\tsix", "2001:db8::1\tbr", "10.89.0.1\thost.docker.internal"):
        assert line in lines
    assert "10.89.0.1\thost.containers.internal" in lines


@pytest.mark.parametrize(
    "entry", ["db", "db:nope", "a b:1.1.1.1", "a:1.1.1.1\n6.6.6.6 bank", "a:host-gateway", ":1.1.1.1"]
)
def test_an_extra_host_that_would_write_another_line_is_refused(entry: str) -> None:
    with pytest.raises(InvalidParameter):
        hosts(Network(mode="none", extra_hosts=(entry,)))


def test_the_hosts_network_comes_with_the_hosts_file() -> None:
    assert hosts(Network(mode="host")) == ["1.2.3.4 hostline"]


def test_names_are_resolved_by_the_networks_own_server_if_it_has_one() -> None:
    assert netfiles.resolv_conf(Network(), [ETH0], HOST_RESOLV) == (
        "search dns.podman lan\nnameserver 10.89.0.1\noptions edns0 trust-ad\n"
    )


def test_loopback_servers_of_the_host_mean_nothing_on_a_bridge() -> None:
    assert "127.0.0.53" not in netfiles.resolv_conf(Network(), [NO_DNS], HOST_RESOLV)
    only = netfiles.resolv_conf(Network(), [NO_DNS], "nameserver 127.0.0.1\n")
    assert only == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
    assert "127.0.0.53" in netfiles.resolv_conf(Network(mode="host"), [], HOST_RESOLV)


def test_the_clients_settings_take_the_place_of_the_hosts() -> None:
    network = Network(dns_servers=("1.1.1.1",), dns_search=(".",), dns_options=("ndots:2",))
    assert netfiles.resolv_conf(network, [NO_DNS], HOST_RESOLV) == "nameserver 1.1.1.1\noptions ndots:2\n"


def test_a_dns_setting_of_two_words_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        netfiles.resolv_conf(Network(dns_search=("a\nnameserver 6.6.6.6",)), [], "")
