"""conmon's attach socket: a container's stdio."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from apiserver.drivers.linux.readiness import Reactor
from apiserver.drivers.linux.seqpacket import PacketSocket, connect

STDIN_PACKET = 32 * 1024
"""Bytes that conmon takes in one packet; of a larger one it would lose the rest."""


class Stream(IntEnum):
    """The first byte of a packet from conmon, and the stream ids of Docker's frames. A terminal is all STDOUT."""

    STDOUT = 2
    STDERR = 3


class Attachment:
    """One client's connection to a container's (or an exec session's) stdio.

    Connect to a container before it is started, or what it says first is in the log alone.
    Half-closing, and closing too, ends the container's stdin, unless conmon was told to leave it open.
    """

    def __init__(self, packets: PacketSocket) -> None:
        self._packets = packets

    async def read(self) -> tuple[Stream, bytes] | None:
        """One piece of output, at most 8 KiB; None at the end.

        Raises:
            ConnectionResetError: an exec session failed to start.
        """
        packet = await self._packets.receive()
        return (Stream(packet[0]), packet[1:]) if packet else None

    async def write(self, data: bytes) -> None:
        """Bytes for stdin; returns once the kernel has them all.

        Raises:
            BrokenPipeError, ConnectionResetError: the container has ended.
        """
        rest = memoryview(data)
        while rest:
            await self._packets.send(rest[:STDIN_PACKET])
            rest = rest[STDIN_PACKET:]

    def close_write(self) -> None:
        """The end of stdin; output still comes."""
        self._packets.close_write()

    def close(self) -> None:
        """Leave. A reader that waits gets None."""
        self._packets.close()


def attach(reactor: Reactor, socket: Path) -> Attachment:
    """Connect to an attach socket (`Monitored.attach_socket`).

    Raises:
        FileNotFoundError, ConnectionRefusedError: there is no such container, or conmon is gone.
    """
    return Attachment(connect(reactor, socket))
