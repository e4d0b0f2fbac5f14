"""Which network, published ports, names and name servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from apiserver.engine.containers.options import Network
from apiserver.engine.containers.options.network import DEFAULT, HOST, NONE
from apiserver.engine.ports.publish import PortRequest, Transport
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.libpod.options.body import CreateBody, NetworkBody, PortMapping

NetworkName = Callable[[str], str]
"""The engine's own name of the network that a client names. Raises NoSuchNetwork."""

_BRIDGED = ("", "default", "bridge", "private")
_IMAGE_FILES = {
    "/etc/hosts": "use_image_hosts",
    "/etc/hostname": "use_image_hostname",
    "/etc/resolv.conf": "use_image_resolve_conf",
}
_DISCARDED = "Port mappings have been discarded as one of the Host, Container, Pod, and None network modes are in use"
_NOT_BUILT = ("container", "path", "pod", "slirp4netns", "pasta", "ns")


def read_network(body: CreateBody, name_of: NetworkName) -> Network:
    """Raises: NoSuchNetwork, InvalidParameter, NotImplementedYet."""
    asked, mode, endpoint = _network(body, name_of)
    if endpoint.static_ips:
        raise NotImplementedYet("the option Networks.static_ips (--ip)")
    if endpoint.interface_name:
        raise NotImplementedYet("the option Networks.interface_name")
    ports = tuple(port for mapping in body.portmappings or () for port in _ports(mapping))
    return Network(
        mode=mode,
        asked_as=asked,
        ports=ports if mode not in (NONE, HOST) else (),
        publish_all=body.publish_image_ports,
        exposed=tuple(
            f"{port}/{transport}" for port, text in (body.expose or {}).items() for transport in _transports(text)
        ),
        aliases=tuple(endpoint.aliases or ()),
        mac_address=endpoint.static_mac.lower(),
        dns_servers=tuple(body.dns_server or ()),
        dns_search=tuple(body.dns_search or ()),
        dns_options=tuple(body.dns_option or ()),
        extra_hosts=tuple(body.hostadd or ()),
        driver_options=endpoint.options or {},
        image_files=tuple(path for path, field in _IMAGE_FILES.items() if getattr(body, field)),
    )


def discarded(body: CreateBody) -> tuple[str, ...]:
    """The warning that what the client publishes goes nowhere; its network was read."""
    return (_DISCARDED,) if body.portmappings and body.netns.nsmode in (NONE, HOST) else ()


def _network(body: CreateBody, name_of: NetworkName) -> tuple[str, str, NetworkBody]:
    """How the client named it, its own name, and what is said of it."""
    mode = body.netns.nsmode
    if mode in _NOT_BUILT:
        raise NotImplementedYet(f"the option netns={mode}")
    if mode not in (*_BRIDGED, NONE, HOST):
        raise InvalidParameter(f"netns: invalid namespace mode: {mode[:100]!r}")
    named = {**dict.fromkeys(body.cni_networks or ()), **(body.networks_lower or {}), **(body.networks or {})}
    if len(named) > 1:
        raise NotImplementedYet("a second network in Networks (--network)")
    if mode in (NONE, HOST):
        if named:
            raise InvalidParameter("Networks: networks and static ip/mac address can only be used with Bridge mode")
        return "", mode, NetworkBody()
    for name, endpoint in named.items():
        own = DEFAULT if name == "default" else name_of(name)
        if own in (NONE, HOST):
            raise InvalidParameter(f"Networks: {name!r} is no network to be connected to; netns says it")
        return name, own, endpoint or NetworkBody()
    return "", DEFAULT, NetworkBody()


def _ports(mapping: PortMapping) -> Iterator[PortRequest]:
    """One request for each port of the range and each protocol; host port 0 is a free one."""
    for transport in _transports(mapping.protocol):
        for step in range(mapping.range or 1):
            host = mapping.host_port + step if mapping.host_port else 0
            yield PortRequest(mapping.container_port + step, transport, mapping.host_ip, host, host)


def _transports(text: str) -> list[Transport]:
    """`tcp,udp`; empty is TCP."""
    try:
        return [Transport(word.strip().lower() or "tcp") for word in text.split(",")]
    except ValueError:
        raise InvalidParameter(f"portmappings: unknown protocol in {text[:100]!r}") from None
