"""Kernel parameters: those of a namespace of the container's own, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from apiserver.engine.containers.options import ContainerOptions, Identity, Namespaces, Network
from apiserver.engine.containers.options import sysctls as options
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.errors import InvalidParameter
from apiserver.local.runs.spec import sysctls

OWN = Namespaces()
HOST_NETWORK = Network(mode="host")


@pytest.mark.parametrize(
    "name",
    ["net.ipv4.ip_forward", "kernel.shmmax", "kernel.msgmax", "kernel.sem", "fs.mqueue.msg_max", "kernel.domainname"],
)
def test_what_a_namespace_holds_can_be_set(name: str) -> None:
    assert options.validated({name: " 1 "}, OWN, Network()) == {name: "1"}


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "kernel.hostname",
        "vm.swappiness",
        "fs.file-max",
        "user.max_user_namespaces",
        "net",
        "net.",
        "net..ipv4",
        "net/../kernel/core_pattern",
        "net./kernel/core_pattern",
        "kernel.shm_rmid_forced+kernel.core_pattern",
        "net.ipv4.ip_forward\n",
        "",
    ],
)
def test_what_would_act_on_the_host_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidParameter, match="is not allowed"):
        options.validated({name: "1"}, OWN, Network())


@pytest.mark.parametrize(
    ("name", "namespaces", "network", "what"),
    [
        ("net.ipv4.ip_forward", OWN, HOST_NETWORK, "host network namespace"),
        ("kernel.shmmax", Namespaces(ipc=Namespace.HOST), Network(), "host IPC namespace"),
        ("fs.mqueue.msg_max", Namespaces(ipc=Namespace.HOST), Network(), "host IPC namespace"),
        ("kernel.domainname", Namespaces(uts=Namespace.HOST), Network(), "host UTS namespace"),
    ],
)
def test_a_shared_namespace_is_the_hosts(name: str, namespaces: Namespaces, network: Network, what: str) -> None:
    with pytest.raises(InvalidParameter, match=f'sysctl "{name}" not allowed in {what}'):
        options.validated({name: "1"}, namespaces, network)


@pytest.mark.parametrize("value", ["1\n2", "1\0", "1" * 5000])
def test_a_value_is_one_short_line(value: str) -> None:
    with pytest.raises(InvalidParameter, match=r"net\.ipv4\.ip_forward"):
        options.validated({"net.ipv4.ip_forward": value}, OWN, Network())


DEFAULTS = {"net.ipv4.ip_unprivileged_port_start": "0"}


def test_defaults_are_for_networks_of_ones_own_and_give_way() -> None:
    assert sysctls.entries(ContainerOptions(), DEFAULTS) == DEFAULTS
    assert sysctls.entries(ContainerOptions(network=HOST_NETWORK), DEFAULTS) == {}
    asked = {"net.ipv4.ip_unprivileged_port_start": "500"}
    assert sysctls.entries(ContainerOptions(sysctls=asked), DEFAULTS) == asked


def test_the_domain_name_asked_for_as_a_parameter_wins() -> None:
    named = ContainerOptions(identity=Identity(domainname="example"))
    assert sysctls.entries(named, {}) == {"kernel.domainname": "example"}
    both = ContainerOptions(identity=Identity(domainname="example"), sysctls={"kernel.domainname": "other"})
    assert sysctls.entries(both, {}) == {"kernel.domainname": "other"}


def test_a_default_that_the_kernel_does_not_have_is_left_out(tmp_path: Path) -> None:
    assert sysctls.known_defaults(tmp_path) == {}
    (tmp_path / "net" / "ipv4").mkdir(parents=True)
    (tmp_path / "net" / "ipv4" / "ping_group_range").touch()
    assert sysctls.known_defaults(tmp_path) == {"net.ipv4.ping_group_range": "0 2147483647"}
