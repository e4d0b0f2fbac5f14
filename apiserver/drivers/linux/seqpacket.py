"""Our end of a SOCK_SEQPACKET socket: packets in and out, their boundaries kept, awaited both ways."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from apiserver.drivers.linux.readiness import Descriptor, Reactor

PACKET = 65536
"""Bytes: the largest packet that is read whole; conmon's are 8 KiB and one."""

_IMMEDIATE = 16


class PacketSocket:
    """Nothing is read ahead: a slow reader here holds the other side back through the socket's own buffer."""

    def __init__(self, reactor: Reactor, sock: socket.socket) -> None:
        """Takes the socket over: `sock` itself is of no use afterwards."""
        self._reactor = reactor
        self._descriptor = Descriptor(reactor, sock.detach())
        self._in_a_row = 0
        self._left = False
        self._ended = False

    async def receive(self) -> bytes:
        """One packet; b"" at the end, and after `close`."""
        while True:
            packet = self.receive_now() if self._in_a_row < _IMMEDIATE else None
            if packet is not None:
                self._in_a_row += 1
                return packet
            self._in_a_row = 0
            await self._descriptor.readable()

    def receive_now(self) -> bytes | None:
        """A packet that is there already; None when there is none, b"" at the end."""
        return b"" if self._left else self._receive_now()

    def _receive_now(self) -> bytes | None:
        while not self._descriptor.closed:
            try:
                # On such a socket read(2) is recv(2): one packet.
                packet = os.read(self._descriptor.fileno(), PACKET)
                self._ended = self._ended or not packet
                return packet
            except BlockingIOError:
                return None
            except ConnectionResetError:
                # The other side closed without reading all that we sent. The kernel says so once, and before it
                # hands out the packets that are still queued for us.
                continue
        return b""

    async def send(self, packet: bytes | memoryview) -> None:
        """Send one packet; returns once the kernel has it.

        Raises:
            BrokenPipeError, ConnectionResetError: nobody will read it.
        """
        while True:
            if self._descriptor.closed or self._left:
                raise BrokenPipeError("our end of the socket is closed")
            try:
                os.write(self._descriptor.fileno(), packet)
            except BlockingIOError:
                await self._descriptor.writable()
            else:
                return

    def close_write(self) -> None:
        """Half-close: the other side sees the end of our packets, and we still read its own."""
        if self._descriptor.closed:
            return
        sock = socket.socket(fileno=self._descriptor.fileno())
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it is gone already: there is nobody left to tell
        finally:
            sock.detach()

    def close(self) -> None:
        self._descriptor.close()

    def leave(self, seconds: float) -> None:
        """Close it for us now, and for the other side in two steps: first the end of our packets, then all of it.

        Until then, for so many seconds, what comes is dropped.
        """
        if self._left or self._descriptor.closed:
            return
        self.close_write()
        self._left = True
        # Whoever waits sees now that it is closed.
        self._descriptor.wake_reader()
        self._descriptor.wake_writer()
        if self._ended:
            self._descriptor.close()
        else:
            Deferred.fromCoroutine(self._drop(self._reactor.callLater(seconds, self._descriptor.close)))

    async def _drop(self, timer: Any) -> None:
        while not self._descriptor.closed:
            await self._descriptor.readable()
            if self._receive_now() == b"":
                self._descriptor.close()
        if timer.active():
            timer.cancel()


def connect(reactor: Reactor, path: Path) -> PacketSocket:
    """Connect to a listener at a path of any length (an address holds 107 bytes).

    Raises:
        FileNotFoundError, ConnectionRefusedError: nobody listens there.
        BlockingIOError: too many wait to be accepted.
    """
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{directory}/{path.name}")
        return PacketSocket(reactor, sock)
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(directory)
