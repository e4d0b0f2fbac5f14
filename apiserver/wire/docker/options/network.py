"""Which network, published ports, names and name servers."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

from apiserver.engine.containers.options import Network
from apiserver.engine.containers.options.network import DEFAULT, HOST, NONE
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.docker.options.body import CreateBody, EndpointBody, HostConfig
from apiserver.wire.docker.options.ports import read_bindings, read_exposed
from apiserver.wire.docker.options.unsupported import endpoints

NetworkName = Callable[[str], str]
"""The engine's own name of the network that a client names, by its name, its id or the start of it.

Raises NoSuchNetwork."""

BRIDGE = "bridge"
_MAC = re.compile(r"[0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(?:\1[0-9a-fA-F]{2}){4}")


def read_network(body: CreateBody, host: HostConfig, name_of: NetworkName) -> Network:
    """Raises: NoSuchNetwork, InvalidParameter, NotImplementedYet."""
    asked = NONE if body.network_disabled else host.network_mode
    mode = _mode(asked, name_of)
    endpoint = _endpoint(body, asked, mode, name_of)
    mac = endpoint.mac_address or body.mac_address
    if mac and not _MAC.fullmatch(mac):
        raise InvalidParameter(f"MacAddress: invalid MAC address: {mac}")
    if body.mac_address and endpoint.mac_address and body.mac_address.lower() != endpoint.mac_address.lower():
        raise InvalidParameter(
            "MacAddress: the container-wide MAC address must match "
            "the endpoint-specific MAC address for the main network"
        )
    if endpoint.aliases and mode in (DEFAULT, NONE, HOST):
        # Nobody would look them up there; Docker says so as well.
        raise InvalidParameter(
            f"NetworkingConfig.EndpointsConfig.{asked or BRIDGE}.Aliases: "
            "network-scoped alias is supported only for containers in user defined networks"
        )
    bindings = host.port_bindings or {}
    return Network(
        mode=mode,
        asked_as="" if asked in ("", "default") else asked,
        ports=read_bindings(bindings),
        publish_all=host.publish_all_ports,
        exposed=read_exposed("ExposedPorts", [*(body.exposed_ports or ()), *bindings]),
        aliases=tuple(endpoint.aliases or ()),
        mac_address=mac.replace("-", ":").lower(),
        dns_servers=tuple(_dns_server(server) for server in host.dns or ()),
        dns_search=tuple(host.dns_search or ()),
        dns_options=tuple(host.dns_options or ()),
        extra_hosts=tuple(_extra_host(entry) for entry in host.extra_hosts or ()),
    )


def _mode(asked: str, name_of: NetworkName) -> str:
    if asked in ("", "default", BRIDGE):
        return DEFAULT
    if asked in (NONE, HOST):
        return asked
    if asked.startswith("container:"):
        raise NotImplementedYet(f"the option HostConfig.NetworkMode={asked} (--network container:)")
    return name_of(asked)


def _endpoint(body: CreateBody, asked: str, mode: str, name_of: NetworkName) -> EndpointBody:
    """What is said of the container's one network, by whichever of its names."""
    found: EndpointBody | None = None
    for name, endpoint in endpoints(body).items():
        if name != asked and _mode(name, name_of) != mode:
            raise NotImplementedYet(f"a second network ({name}) in NetworkingConfig.EndpointsConfig (--network)")
        if found is not None:
            raise InvalidParameter(f"NetworkingConfig.EndpointsConfig: {name}: the same network twice")
        found = endpoint
    return found or EndpointBody()


def _dns_server(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise InvalidParameter(f"HostConfig.Dns: {text[:100]!r} is no IP address") from None


def _extra_host(entry: str) -> str:
    name, colon, address = entry.partition(":")
    if not name or not colon:
        raise InvalidParameter(f'HostConfig.ExtraHosts: bad format for add-host: "{entry}"')
    address = address.removeprefix("[").removesuffix("]")
    if address != "host-gateway":
        try:
            ip_address(address)
        except ValueError:
            raise InvalidParameter(f'HostConfig.ExtraHosts: invalid IP address in add-host: "{address}"') from None
    return f"{name}:{address}"


def show_mode(network: Network) -> str:
    """`HostConfig.NetworkMode`: as asked, and Docker's name for the default."""
    return network.asked_as or (BRIDGE if network.mode == DEFAULT else network.mode)
