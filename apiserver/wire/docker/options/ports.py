"""Ports as Docker writes them: `80/tcp`, and what they are bound to on the host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

from apiserver.engine.ports.publish import PortRequest, PublishedPort, Transport
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.docker.options.body import PortBinding

_HIGHEST = 65535


def read_port(field: str, text: str) -> tuple[int, Transport]:
    """`80/tcp`, or `80`, which is TCP.

    Raises:
        InvalidParameter: names the field.
    """
    number, slash, protocol = text.partition("/")
    try:
        transport = Transport(protocol.lower() if slash else "tcp")
    except ValueError:
        raise InvalidParameter(f'{field}: invalid port specification: "{text}": unknown protocol') from None
    port = _number(number)
    if not port:
        raise InvalidParameter(f'{field}: invalid port specification: "{text}"')
    return port, transport


def read_exposed(field: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Each once, with its protocol; `8000-8002/tcp` is three ports."""
    exposed: dict[str, None] = {}
    for key in keys:
        ports, slash, protocol = key.partition("/")
        first, dash, last = ports.partition("-")
        start, transport = read_port(field, first + slash + protocol)
        end = read_port(field, last + slash + protocol)[0] if dash else start
        if end < start:
            raise InvalidParameter(f'{field}: invalid port specification: "{key}"')
        exposed.update({f"{port}/{transport}": None for port in range(start, end + 1)})
    return tuple(exposed)


def read_bindings(bindings: Mapping[str, Sequence[PortBinding] | None]) -> tuple[PortRequest, ...]:
    """One request for each binding; a port without any is exposed only."""
    requests = []
    for key, wanted in bindings.items():
        port, transport = read_port("HostConfig.PortBindings", key)
        for binding in wanted or ():
            first, last = _host_ports(binding.host_port)
            requests.append(PortRequest(port, transport, _host_ip(binding.host_ip), first, last))
    return tuple(requests)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    port = int(text)
    return port if port <= _HIGHEST else None


def _host_ports(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    start = _number(first) if first else 0
    end = _number(last) if dash else start
    if start is None or end is None or end < start or (dash and not start):
        raise InvalidParameter(f'HostConfig.PortBindings: invalid port specification: "{text}"')
    return start, end


def _host_ip(text: str) -> str:
    if not text:
        return ""
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise InvalidParameter(f'HostConfig.PortBindings: invalid HostIp "{text}": it is no address') from None


def show_bindings(requests: Sequence[PortRequest]) -> JsonObject:
    """`HostConfig.PortBindings` again, as asked."""
    shown: dict[str, list[JsonValue]] = {}
    for request in requests:
        first, last = request.host_port_first, request.host_port_last
        text = "" if not first and not last else str(first) if first == last else f"{first}-{last}"
        key = f"{request.container_port}/{request.transport}"
        shown.setdefault(key, []).append({"HostIp": request.host_ip, "HostPort": text})
    return dict(shown)


def show_published(ports: Sequence[PublishedPort], exposed: Sequence[str]) -> JsonObject:
    """`NetworkSettings.Ports` of what runs: true host ports, and null for a port that is exposed only."""
    shown: dict[str, JsonValue] = dict.fromkeys(exposed)
    bound: dict[str, list[JsonValue]] = {}
    for port in ports:
        key = f"{port.container_port}/{port.transport}"
        bound.setdefault(key, []).append({"HostIp": port.host_ip, "HostPort": str(port.host_port)})
    return dict(sorted((shown | bound).items()))


def list_ports(ports: Sequence[PublishedPort], exposed: Sequence[str]) -> list[JsonValue]:
    """`Ports` of a listing."""
    shown: list[JsonValue] = [
        {
            "IP": port.host_ip,
            "PrivatePort": port.container_port,
            "PublicPort": port.host_port,
            "Type": str(port.transport),
        }
        for port in sorted(ports, key=lambda port: (port.container_port, port.transport, port.host_ip))
    ]
    published = {f"{port.container_port}/{port.transport}" for port in ports}
    for key in sorted(exposed):
        if key not in published:
            number, _, protocol = key.partition("/")
            shown.append({"PrivatePort": int(number), "Type": protocol})
    return shown
