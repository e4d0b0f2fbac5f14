"""A container's network: which one, published ports, names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from msgspec import Struct, field
from msgspec.structs import replace

from apiserver.engine.ports.publish import PortRequest, Transport
from apiserver.errors import InvalidParameter

NONE = "none"
HOST = "host"
DEFAULT = "apiserver"
"""The default bridge's own name: `bridge` to Docker, `podman` to libpod."""
HOST_GATEWAY = "host-gateway"
LARGEST_PORT = 65_535
_EXPOSED = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII)
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_NAME = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?\.?")
_DNS_OPTION = re.compile(r"[!-~]{1,255}")


class Network(Struct, frozen=True):
    mode: str = DEFAULT
    """`none`, `host`, or a network's own name."""
    asked_as: str = ""
    """How the client named it (`default`, `bridge`, an id), for its inspect."""
    ports: tuple[PortRequest, ...] = ()
    publish_all: bool = False
    """Publish each exposed port on a free host port."""
    exposed: tuple[str, ...] = ()
    """`80/tcp`; after create the image's too."""
    aliases: tuple[str, ...] = ()
    mac_address: str = ""
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    """`NAME:IP`; the IP `host-gateway` is the bridge's gateway."""
    driver_options: Mapping[str, str] = field(default_factory=dict)
    image_files: tuple[str, ...] = ()
    """Which of `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` stay the image's own."""

    @property
    def bridged(self) -> bool:
        """It has a network of its own, with addresses and ports."""
        return self.mode not in (NONE, HOST)

    @property
    def requested_ports(self) -> tuple[PortRequest, ...]:
        """What is to be bound at a start: as asked, and with `publish_all` each exposed port that is not."""
        if not self.publish_all:
            return self.ports
        asked = {(port.container_port, port.transport) for port in self.ports}
        exposed = [(int(port), Transport(transport)) for port, _, transport in (e.partition("/") for e in self.exposed)]
        return (
            *self.ports,
            *(PortRequest(port, transport) for port, transport in exposed if (port, transport) not in asked),
        )


def validated(network: Network) -> Network:
    """With each exposed port by itself and with its transport.

    Raises:
        InvalidParameter
    """
    for port in network.ports:
        _check_port(port)
    for address in network.dns_servers:
        _address("Dns", address)
    for domain in network.dns_search:
        if domain != "." and not _NAME.fullmatch(domain):
            raise InvalidParameter(f"invalid DnsSearch: {domain!r} is no domain")
    for option in network.dns_options:
        if not _DNS_OPTION.fullmatch(option):
            raise InvalidParameter(f"invalid DnsOptions: {option!r}")
    for alias in network.aliases:
        if not _NAME.fullmatch(alias):
            raise InvalidParameter(f"invalid Aliases: {alias!r} is no host name")
    for entry in network.extra_hosts:
        _check_extra_host(entry)
    if network.mac_address and not _MAC.fullmatch(network.mac_address):
        raise InvalidParameter(f"invalid MacAddress: {network.mac_address!r}")
    if network.mac_address and not network.bridged:
        raise InvalidParameter("conflicting options: mac-address and the network mode")
    exposed = dict.fromkeys(port for entry in network.exposed for port in exposed_ports(entry))
    published = {f"{port.container_port}/{port.transport}": None for port in network.ports}
    return replace(network, exposed=tuple({**exposed, **published}))


def exposed_ports(entry: str) -> tuple[str, ...]:
    """`80`, `80/udp` or `8000-8010/tcp` as single ports with their transport.

    Raises:
        InvalidParameter
    """
    match = _EXPOSED.fullmatch(entry.lower())
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else 0
    if not match or not 1 <= first <= last <= LARGEST_PORT:
        raise InvalidParameter(f"invalid ExposedPorts: {entry!r} is no port")
    return tuple(f"{port}/{match[3] or 'tcp'}" for port in range(first, last + 1))


def warnings(network: Network) -> tuple[str, ...]:
    if network.mode == HOST and (network.ports or network.publish_all):
        return ("Published ports are discarded when using host network mode",)
    return ()


def _check_port(port: PortRequest) -> None:
    named = f"{port.container_port}/{port.transport}"
    if not 1 <= port.container_port <= LARGEST_PORT:
        raise InvalidParameter(f"invalid PortBindings: {named} is no port")
    first, last = port.host_port_first, port.host_port_last
    if (first, last) != (0, 0) and not 1 <= first <= last <= LARGEST_PORT:
        raise InvalidParameter(f"invalid PortBindings of {named}: {first}-{last} is no range of ports")
    if port.host_ip:
        _address(f"PortBindings of {named}", port.host_ip)


def _address(field_name: str, text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        raise InvalidParameter(f"invalid {field_name}: {text!r} is no IP address") from None


def _check_extra_host(entry: str) -> None:
    name, colon, address = entry.partition(":")
    if not colon or not _NAME.fullmatch(name):
        # A newline here would be a line of its own in /etc/hosts.
        raise InvalidParameter(f"bad format for add-host: {entry!r}")
    if address != HOST_GATEWAY:
        _address("ExtraHosts", address.removeprefix("[").removesuffix("]"))
