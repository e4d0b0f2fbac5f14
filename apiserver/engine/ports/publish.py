"""Ports of the host that are taken for a container before anything is wired to them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Transport(StrEnum):
    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


class PortRequest(Struct, frozen=True):
    """One port of a container that is to be reached from outside.

    Attributes:
        host_ip: `""` for every address of the host.
        host_port_first, host_port_last: the first free one of this range, both included; 0 and 0 for any
            free port that the system chooses.
    """

    container_port: int
    transport: Transport = Transport.TCP
    host_ip: str = ""
    host_port_first: int = 0
    host_port_last: int = 0


class PublishedPort(Struct, frozen=True):
    """A port as it was bound: a true host port, and never an empty address (`0.0.0.0` for all)."""

    container_port: int
    transport: Transport
    host_ip: str
    host_port: int


class HeldPorts(Protocol):
    """Ports that are ours until `close`, or for as long as whoever inherited the descriptors lives."""

    @property
    def ports(self) -> Sequence[PublishedPort]:
        """In the order of the requests; one for each."""
        ...

    @property
    def descriptors(self) -> Sequence[int]:
        """Bound sockets for the container's monitor to inherit: an optional fact, empty where a back end has none.

        They are close-on-exec; whoever starts the monitor passes them by name.
        """
        ...

    def close(self) -> None:
        """Close our own descriptors: after the monitor has them, or to give the ports up. Twice is no error."""
        ...


class PortPublisher(Protocol):
    async def bind(self, endpoint: str, requests: Sequence[PortRequest]) -> HeldPorts:
        """Take all of the ports, or none of them.

        Args:
            endpoint: whose they will be, for the words of an error: the container's name.

        Raises:
            PortInUse: one is taken, or a range has none left.
            InvalidParameter: an address that is not this host's.
            NotImplementedYet: a transport that this host cannot hold.
        """
        ...
