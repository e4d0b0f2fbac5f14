"""Networks in the shape of netavark's own configuration, and the filters of a listing.

Podman: common/libnetwork/types/network.go and util/filters.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.network import HOST, NONE
from apiserver.engine.ports.networks import Network
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.gojson import go_time, parse_moment, sorted_map
from apiserver.wire.libpod.filters import Filters, has_id, has_labels, matches_any, truths
from apiserver.wire.libpod.names import DEFAULT_NETWORK, network_name

MODES = ("bridge", "default")
"""What the engine finds the default network by, and Podman takes for a mode of a container alone."""


def is_network(network: Network) -> bool:
    """`host` and `none` are modes of a container to Podman, and no networks."""
    return network.name not in (HOST, NONE)


def network_json(network: Network) -> JsonObject:
    """An entry of a listing; what is empty is left out, as Go's `omitempty` does."""
    shown: JsonObject = {
        "name": network_name(network.name),
        "id": network.id,
        "driver": network.driver,
    }
    if network.interface:
        shown["network_interface"] = network.interface
    shown["created"] = go_time(network.created)
    if network.subnet is not None:
        subnet: JsonObject = {"subnet": str(network.subnet)}
        if network.gateway is not None:
            subnet["gateway"] = str(network.gateway)
        shown["subnets"] = [subnet]
    shown |= {"ipv6_enabled": False, "internal": network.internal, "dns_enabled": network.dns_enabled}
    if network.labels:
        shown["labels"] = sorted_map(network.labels)
    if network.options:
        shown["options"] = sorted_map(network.options)
    shown["ipam_options"] = {"driver": "host-local"}
    return shown


def inspect_json(network: Network, containers: Iterable[Container]) -> JsonObject:
    """With the running containers that are on it, by id."""
    return network_json(network) | {
        "containers": {each.id: _member(each, network) for each in containers if _is_on(each, network)}
    }


def _is_on(container: Container, network: Network) -> bool:
    return container.alive and container.options.network.mode == network.name


def _member(container: Container, network: Network) -> JsonObject:
    interfaces: dict[str, JsonValue] = {}
    for endpoint in container.run.endpoints if container.run else ():
        if endpoint.network == network.name:
            subnet: JsonObject = {"ipnet": f"{endpoint.address}/{endpoint.prefix_length}"}
            if endpoint.gateway is not None:
                subnet["gateway"] = str(endpoint.gateway)
            interfaces[endpoint.interface] = {"subnets": [subnet], "mac_address": endpoint.mac}
    return {"name": container.name, "interfaces": interfaces}


def select(
    networks: Iterable[Network], filters: Filters, containers: Iterable[Container], now: datetime
) -> list[Network]:
    """The networks that pass: AND between keys, OR within one (labels: AND).

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
    """
    used = {container.options.network.mode for container in containers}
    chosen = list(networks)
    for key, values in filters.items():
        passes = _test(key, values, used, now)
        if values:
            chosen = [network for network in chosen if passes(network)]
    return chosen


def _test(key: str, values: Sequence[str], used: set[str], now: datetime) -> Callable[[Network], bool]:
    match key.lower():
        case "name":
            return lambda network: matches_any(network_name(network.name), values)
        case "id":
            return lambda network: has_id(network.id, values)
        case "driver":
            return lambda network: network.driver in values
        case "label":
            return lambda network: has_labels(network.labels, values)
        case "label!":
            return lambda network: not has_labels(network.labels, values)
        case "dangling":
            wanted = truths(key, values)
            return lambda network: (
                (network_name(network.name) != DEFAULT_NETWORK and network.name not in used) in wanted
            )
        case "until":
            if len(values) > 1:
                raise InvalidParameter("specify exactly one timestamp for until")
            until = parse_moment(key, values[0] if values else "", now) or now
            return lambda network: network.created < until
    raise InvalidParameter(f'invalid filter "{key}"')
