"""Ports of this host, bound before anything is wired to them, so that nobody else can take them.

A TCP socket is bound and does not listen: what the firewall's rules do not catch is refused instead of left hanging.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address, ip_address

from apiserver.engine.ports.publish import PortRequest, PublishedPort, Transport
from apiserver.errors import HostError, InvalidParameter, NotImplementedYet, PortInUse

_EVERYWHERE = "0.0.0.0"  # noqa: S104  # what publishing without an address means
_KINDS = {Transport.TCP: socket.SOCK_STREAM, Transport.UDP: socket.SOCK_DGRAM}


class BoundPorts:
    """Fulfils `HeldPorts`."""

    def __init__(self) -> None:
        self._held: list[tuple[PublishedPort, socket.socket]] = []

    @property
    def ports(self) -> Sequence[PublishedPort]:
        return [port for port, _ in self._held]

    @property
    def descriptors(self) -> Sequence[int]:
        return [held.fileno() for _, held in self._held]

    def add(self, port: PublishedPort, held: socket.socket) -> None:
        self._held.append((port, held))

    def close(self) -> None:
        for _, held in self._held:
            held.close()


class LocalPublisher:
    """Fulfils `PortPublisher`. IPv4 alone: the default network has no IPv6, and a port that nothing serves is a lie."""

    async def bind(self, endpoint: str, requests: Sequence[PortRequest]) -> BoundPorts:
        bound = BoundPorts()
        try:
            for request in requests:
                bound.add(*_bind(endpoint, request))
        except BaseException:
            bound.close()
            raise
        return bound


def _bind(endpoint: str, request: PortRequest) -> tuple[PublishedPort, socket.socket]:
    address = _address(request.host_ip)
    kind = _KINDS.get(request.transport)
    if kind is None:
        raise NotImplementedYet(f"publishing {request.transport} ports")
    for port in range(request.host_port_first, request.host_port_last + 1):
        try:
            held = _held(kind, address, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise _failure(endpoint, address, port, error) from error
        published = PublishedPort(request.container_port, request.transport, address, held.getsockname()[1])
        return published, held
    # The last of a range stands for it in the words, as in Docker.
    raise PortInUse(
        f"driver failed programming external connectivity on endpoint {endpoint}: "
        f"Bind for {address}:{request.host_port_last} failed: port is already allocated"
    )


def _held(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """
    Raises:
        OSError: EADDRINUSE where somebody has the port.
    """
    with ExitStack() as stack:
        held = stack.enter_context(socket.socket(socket.AF_INET, kind))
        try:
            held.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or kind is not socket.SOCK_STREAM:
                raise
            # Perhaps nobody has it, and only old connections of an earlier server linger there. With SO_REUSEADDR
            # they do not count, but a second such socket would not either, unless one of the two listens.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind((address, port))
            held.listen(1)
        stack.pop_all()
        return held


def _address(text: str) -> str:
    """
    Raises:
        InvalidParameter, NotImplementedYet
    """
    if not text:
        return _EVERYWHERE
    try:
        address = ip_address(text)
    except ValueError as error:
        raise InvalidParameter(f"invalid HostIp: {text!r} is no IP address") from error
    if not isinstance(address, IPv4Address):
        raise NotImplementedYet("publishing a port on an IPv6 address")
    return str(address)


def _failure(endpoint: str, address: str, port: int, error: OSError) -> Exception:
    words = (
        f"driver failed programming external connectivity on endpoint {endpoint}: "
        f"Bind for {address}:{port} failed: {os.strerror(error.errno or 0).lower()}"
    )
    return InvalidParameter(words) if error.errno == errno.EADDRNOTAVAIL else HostError(words)
