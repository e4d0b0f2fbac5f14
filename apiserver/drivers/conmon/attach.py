"""conmon's attach socket: a container's stdio."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from apiserver.drivers.linux.readiness import Reactor
from apiserver.drivers.linux.seqpacket import PacketSocket, connect

STDIN_PACKET = 32 * 1024
"""Bytes that conmon takes in one packet; of a larger one it would lose the rest."""

_JOINED = 64 * 1024
"""Bytes of output after which no more packets are joined: whoever passes them on does so once for many."""


_LEAVING = 0.5
"""Seconds for conmon to see the end of what we send, before it fails to write to us.

In the other order conmon 2.1.6 uses what it has freed, and one time in some hundred it dies of that, and the
container's exit code and log with it.
"""


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
        # What came behind the piece that was returned: a packet of the other stream, or the end.
        self._next: bytes | None = None

    async def read(self) -> tuple[Stream, bytes] | None:
        """One piece of output, at most 72 KiB: packets of one stream that are there are joined; None at the end."""
        packet, self._next = self._next, None
        if packet is None:
            packet = await self._packets.receive()
        if not packet:
            return None
        pieces, size = [packet[1:]], len(packet) - 1
        while size < _JOINED:
            more = self._packets.receive_now()
            if more is None:
                break
            if more[:1] != packet[:1]:
                self._next = more
                break
            pieces.append(more[1:])
            size += len(more) - 1
        return Stream(packet[0]), b"".join(pieces)

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
        self._packets.leave(_LEAVING)


def attach(reactor: Reactor, socket: Path) -> Attachment:
    """Connect to an attach socket (`Monitored.attach_socket`).

    Raises:
        FileNotFoundError, ConnectionRefusedError: there is no such container, or conmon is gone.
    """
    return Attachment(connect(reactor, socket))
