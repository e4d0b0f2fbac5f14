from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from apiserver.local.networks.routes import NoSubnetFree, free_subnet, used_subnets

TABLE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
br1\t0000590A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_the_routing_table_tells_what_is_used_but_not_the_default_route() -> None:
    assert used_subnets(TABLE) == [IPv4Network("10.89.0.0/16"), IPv4Network("192.168.1.0/24")]


def test_the_first_subnet_that_overlaps_nothing_is_taken() -> None:
    assert free_subnet([]) == IPv4Network("10.89.0.0/16")
    assert free_subnet(used_subnets(TABLE)) == IPv4Network("10.90.0.0/16")
    assert free_subnet([IPv4Network("10.88.0.0/14"), IPv4Network("10.92.3.0/24")]) == IPv4Network("10.93.0.0/16")


def test_with_none_free_it_says_so() -> None:
    with pytest.raises(NoSubnetFree):
        free_subnet([IPv4Network("10.0.0.0/8")])
