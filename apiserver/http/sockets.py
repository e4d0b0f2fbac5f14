"""What the kernel tells of a socket and its peer."""

from __future__ import annotations

import fcntl
import select
import socket
import sys
import termios
from typing import Any

from twisted.internet import interfaces


def is_tls(transport: object) -> bool:
    return bool(interfaces.ISSLTransport.providedBy(transport))


def half_closes(transport: object) -> bool:
    """Whether our sending side can end alone; that of TLS ends with the connection."""
    return interfaces.IHalfCloseableDescriptor.providedBy(transport) and not is_tls(transport)


def close_below(transport: Any) -> None:
    """Close the TCP connection under TLS once what is written has gone out, without the client's close_notify."""
    transport.transport.loseConnection()


def hung_up(handle: socket.socket) -> bool:
    """Whether the peer of a unix socket is gone, and did not just shut down its sending side; on TCP, after a reset."""
    poll = select.poll()
    poll.register(handle, 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))


def unread_bytes(handle: Any) -> int:
    """How much of what was sent the other side has not read (a unix socket), or not acknowledged (TCP): SIOCOUTQ."""
    answer = fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(answer, sys.byteorder)
