"""A network plan in netavark's JSON, and its answer in the engine's words."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface

from apiserver.drivers.netavark import StatusJson
from apiserver.engine.ports.networks import Attachment, Endpoint, Network, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort
from apiserver.errors import HostError
from apiserver.jsonvalue import JsonObject

EVERYWHERE = "0.0.0.0"  # noqa: S104  # the word for it, nothing is bound here


def netavark_name(network: Network) -> str:
    """What netavark calls a network: its rules hang on that name, for the whole machine.

    A second service on this machine found the interface of the first taken, and so has another name too.
    """
    return network.name if network.interface == f"{network.name}0" else network.interface


def request_json(plan: NetworkPlan) -> JsonObject:
    """What both setup and teardown are told."""
    return {
        "container_id": plan.container_id,
        "container_name": plan.container_name,
        "port_mappings": [_port(port) for port in plan.ports],
        "networks": {netavark_name(each.network): _member(each) for each in plan.attachments},
        "network_info": {netavark_name(each.network): _network(each.network) for each in plan.attachments},
        "dns_servers": list(plan.dns_servers),
    }


def member_request(network: Network, *, leaves: bool = False) -> JsonObject:
    """What is told of a member of a network that has no address there, and no name: it is there to be one more.

    Args:
        leaves: for its teardown: it is said to have an address, one that nobody is given. netavark removes the chain
            of published ports only with a last member that has one.
    """
    assert network.subnet is not None
    name = netavark_name(network)
    ipam = "host-local" if leaves else "none"
    address = {"static_ips": [str(network.subnet.broadcast_address)]} if leaves else {}
    return {
        "container_id": network.id,
        "container_name": name,
        "port_mappings": [],
        "networks": {name: {"interface_name": "eth0", **address}},
        "network_info": {name: _network(network) | {"dns_enabled": False, "ipam_options": {"driver": ipam}}},
        "dns_servers": [],
    }


def endpoints(plan: NetworkPlan, answer: Mapping[str, StatusJson]) -> tuple[Endpoint, ...]:
    """
    Raises:
        HostError: the answer lacks what was asked for.
    """
    return tuple(_endpoint(each, answer) for each in plan.attachments)


def foreseen(plan: NetworkPlan) -> tuple[Endpoint, ...] | None:
    """What `endpoints` will say: the addresses are ours to choose, what netavark makes of DNS servers is not."""
    if plan.dns_servers or any(each.network.dns_enabled for each in plan.attachments):
        return None
    return tuple(_foreseen(each) for each in plan.attachments)


def _foreseen(attachment: Attachment) -> Endpoint:
    network, lease = attachment.network, attachment.lease
    assert network.subnet is not None
    return Endpoint(
        network=network.name,
        interface=attachment.interface,
        address=lease.address,
        prefix_length=network.subnet.prefixlen,
        gateway=network.gateway,
        mac=lease.mac,
    )


def _port(port: PublishedPort) -> JsonObject:
    return {
        "container_port": port.container_port,
        "host_port": port.host_port,
        "protocol": str(port.transport),
        "host_ip": "" if port.host_ip == EVERYWHERE else port.host_ip,
        "range": 1,
    }


def _member(attachment: Attachment) -> JsonObject:
    return {
        "static_ips": [str(attachment.lease.address)],
        "static_mac": attachment.lease.mac,
        "interface_name": attachment.interface,
        "aliases": list(attachment.aliases),
    }


def _network(network: Network) -> JsonObject:
    return {
        "name": netavark_name(network),
        "id": network.id,
        "driver": network.driver,
        "network_interface": network.interface,
        "created": network.created.isoformat(),
        "subnets": [{"subnet": str(network.subnet), "gateway": str(network.gateway)}],
        "ipv6_enabled": False,
        "internal": network.internal,
        "dns_enabled": network.dns_enabled,
        "labels": dict(network.labels),
        "options": dict(network.options),
        "ipam_options": {"driver": "host-local"},
    }


def _endpoint(attachment: Attachment, answer: Mapping[str, StatusJson]) -> Endpoint:
    status = answer.get(netavark_name(attachment.network))
    interface = status.interfaces.get(attachment.interface) if status else None
    if status is None or interface is None or not interface.subnets:
        raise HostError(f"netavark did not say what became of {attachment.interface} on {attachment.network.name}")
    subnet = interface.subnets[0]
    address = IPv4Interface(subnet.ipnet)
    return Endpoint(
        network=attachment.network.name,
        interface=attachment.interface,
        address=address.ip,
        prefix_length=address.network.prefixlen,
        gateway=IPv4Address(subnet.gateway) if subnet.gateway else None,
        mac=interface.mac_address,
        dns_servers=tuple(status.dns_server_ips or ()),
        dns_search=tuple(status.dns_search_domains or ()),
    )
