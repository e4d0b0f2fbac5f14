"""Networks in the shape of a listing and an inspection, and the filters of a listing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.network import DEFAULT
from apiserver.engine.ports.networks import Network
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.docker.container_filters import boolean, has_label
from apiserver.wire.docker.endpoints import docker_network_name, endpoint_id, endpoint_of
from apiserver.wire.docker.versions import V1_47, Version
from apiserver.wire.gojson import go_time, sorted_map

BUILT_IN = ("bridge", "host", "none")


def network_json(network: Network, containers: Iterable[Container], version: Version) -> JsonObject:
    """A network; `Containers` are those that run on it now (a listing shows none, as Docker).

    Labels and options come back as they were given.
    """
    shown: JsonObject = {
        "Name": docker_network_name(network.name),
        "Id": network.id,
        "Created": go_time(network.created),
        "Scope": "local",
        "Driver": "null" if network.driver == "none" else network.driver,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": _pools(network)},
        "Internal": network.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {each.id: _member(each, network) for each in containers if _is_on(each, network)},
        "Options": sorted_map(network.options) | _bridge_options(network),
        "Labels": sorted_map(network.labels),
    }
    if version >= V1_47:
        shown["EnableIPv4"] = True
    return shown


def _bridge_options(network: Network) -> dict[str, str]:
    """What clients look for on Docker's default bridge, to know its interface."""
    if network.name != DEFAULT:
        return {}
    return {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.name": network.interface,
    }


def _pools(network: Network) -> list[JsonValue] | None:
    if network.subnet is None:
        return None
    pool: JsonObject = {"Subnet": str(network.subnet)}
    if network.gateway is not None:
        pool["Gateway"] = str(network.gateway)
    return [pool]


def _is_on(container: Container, network: Network) -> bool:
    return container.alive and container.options.network.mode == network.name


def _member(container: Container, network: Network) -> JsonObject:
    endpoint = endpoint_of(container, network.name)
    return {
        "Name": container.name,
        "EndpointID": endpoint_id(container, network),
        "MacAddress": endpoint.mac if endpoint else "",
        "IPv4Address": f"{endpoint.address}/{endpoint.prefix_length}" if endpoint else "",
        "IPv6Address": "",
    }


def select(
    networks: Iterable[Network], filters: Mapping[str, Sequence[str]], containers: Iterable[Container]
) -> list[Network]:
    """The networks that pass: AND between keys, OR within one.

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
    """
    used = {container.options.network.mode for container in containers if container.alive}
    chosen = list(networks)
    for key, values in filters.items():
        if values:
            chosen = [network for network in chosen if _passes(network, key, values, used)]
    return chosen


def _passes(network: Network, key: str, values: Sequence[str], used: set[str]) -> bool:
    name = docker_network_name(network.name)
    match key:
        case "name":
            return any(value in name for value in values)
        case "id":
            return any(network.id.startswith(value) for value in values)
        case "driver":
            return ("null" if network.driver == "none" else network.driver) in values
        case "scope":
            return "local" in values
        case "label":
            return all(has_label(network.labels, value) for value in values)
        case "type":
            for value in values:
                if value not in ("builtin", "custom"):
                    raise InvalidParameter(f"invalid filter: 'type'='{value}'")
            return ("builtin" if name in BUILT_IN else "custom") in values
        case "dangling":
            return (name not in BUILT_IN and network.name not in used) is boolean(key, values)
    raise InvalidParameter(f"invalid filter '{key}'")
