"""A container's interfaces, as Docker shows them under the name of their network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.network import DEFAULT
from apiserver.engine.ports.networks import Endpoint, Network
from apiserver.engine.ports.publish import PublishedPort
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.versions import V1_44, V1_48, Version


def docker_network_name(name: str) -> str:
    """Our default network is `bridge` to Docker."""
    return "bridge" if name == DEFAULT else name


def endpoint_id(container: Container, network: Network) -> str:
    """64 hex digits; ours have none of their own, but clients compare them."""
    number = container.run.number if container.run else 0
    return hashlib.sha256(f"{network.id} {container.id} {number}".encode()).hexdigest()


def endpoint_of(container: Container, network_name: str) -> Endpoint | None:
    """The interface of a running container."""
    if not container.alive or container.run is None:
        return None
    return next((each for each in container.run.endpoints if each.network == network_name), None)


def published(container: Container) -> tuple[PublishedPort, ...]:
    """The host ports that are taken for a running container."""
    run = container.run
    return run.network.ports if container.alive and run is not None and run.network is not None else ()


def networks_json(container: Container, networks: Mapping[str, Network], version: Version) -> JsonObject:
    """`NetworkSettings.Networks`: never empty, and with the network's id also for one that does not run."""
    name = container.options.network.mode
    network = networks.get(name)
    endpoint = endpoint_of(container, name)
    options = container.options.network
    shown: JsonObject = {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": list(options.aliases) or None,
        "MacAddress": endpoint.mac if endpoint else options.mac_address,
        "NetworkID": network.id if network else "",
        "EndpointID": endpoint_id(container, network) if network and container.alive else "",
        "Gateway": str(endpoint.gateway) if endpoint and endpoint.gateway else "",
        "IPAddress": str(endpoint.address) if endpoint else "",
        "IPPrefixLen": endpoint.prefix_length if endpoint else 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DriverOpts": dict(options.driver_options) or None,
    }
    if version >= V1_44:
        shown["DNSNames"] = None
    if version >= V1_48:
        shown["GwPriority"] = 0
    return {docker_network_name(name): shown}
