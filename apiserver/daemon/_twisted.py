"""Every private name of Twisted that listening needs; each has a test that fails when it moves.

Twisted treats a unix listener as its own: starting one makes its path mode 0666 and its backlog 50, closing
one unlinks the path and calls shutdown(2) on a socket that somebody else may still hold. All of it is
wrong for a descriptor that was passed to us, and the first also for a path whose mode we chose.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

BACKLOG = socket.SOMAXCONN


def adopt(listening: socket.socket, factory: IProtocolFactory, reactor: Any) -> IListeningPort:
    """Accept from `listening` for `factory`; leave path, mode and the socket itself alone, also at the end.

    Args:
        listening: already listening; its descriptor is duplicated, the caller closes this one.
    """
    listening.setblocking(False)  # systemd passes blocking sockets, and accept would hang the reactor
    if listening.family == socket.AF_UNIX:
        port = unix.Port._fromListeningDescriptor(reactor, listening.fileno(), factory)
        # As if abstract: no chmod at the start, no unlink at the end.
        port._bindPath = b"\0" + port._bindPath
        # It calls listen(2) again, which would shrink systemd's queue; the next process lives from that queue.
        port.backlog = BACKLOG
        port._shouldShutdown = False
    else:
        port = tcp.Port._fromListeningDescriptor(reactor, listening.fileno(), listening.family, factory)
    port.startListening()
    port._shouldShutdown = False
    listener: IListeningPort = port
    return listener


def descriptors_taken_at_import() -> list[int]:
    """The descriptors of LISTEN_FDS that `twisted.internet.endpoints` found when it was imported."""
    from twisted.internet import endpoints  # not above: without it this process may never need that module

    taken: list[int] = endpoints._SystemdParser._sddaemon.inheritedDescriptors()
    return taken
