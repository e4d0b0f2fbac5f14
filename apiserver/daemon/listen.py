"""Listeners: accepting for a protocol factory, and leaving without losing who is about to come in."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable
from importlib import import_module
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from apiserver.daemon._twisted import adopt
from apiserver.daemon.endpoints import Endpoint, PassedEndpoint, TlsEndpoint, UnixEndpoint
from apiserver.daemon.environment import PassedDescriptor
from apiserver.daemon.sockets import ListenError, ListeningSocket, Reach, find_passed, open_tcp, open_unix, take_passed

log = Logger()


class Listener:
    """One socket that accepts for one factory.

    Leaving has two parts. `pause` stops accepting and can be taken back with `resume`; `stop` is for good.
    In between `waiting` tells whether somebody is in the kernel's queue.

    A passed socket is only let go of: what stays in its queue is there for the next process. Our own has no
    next process, so whoever got in must be served by this one. On a unix socket that is exact: unlink the path,
    shutdown(SHUT_RD), then accept until the queue is empty. After the shutdown the kernel refuses a
    connect(2) under the same lock under which it would have queued it, so each client is either in the
    queue, and served, or was refused before it could send a byte. A TCP handshake that completes between the
    last accept and the close is reset; clients have to expect that (RFC 9112, 9.3.1).
    """

    def __init__(self, listening: ListeningSocket, factory: IProtocolFactory, reactor: Any) -> None:
        self._listening = listening
        self._factory = factory
        self._reactor = reactor
        self._port: Any = adopt(listening.socket, factory, reactor)
        self._stopped = False

    @property
    def uri(self) -> str:
        return self._listening.uri

    @property
    def passed(self) -> bool:
        return self._listening.passed

    def waiting(self) -> bool:
        """Whether a connection is in the kernel's queue, not accepted yet."""
        poll = select.poll()
        poll.register(self._listening.socket, select.POLLIN)
        return bool(poll.poll(0))

    def pause(self) -> None:
        self._port.stopReading()

    def resume(self) -> None:
        self._port.startReading()

    def stop(self) -> None:
        """Accept no more; on a socket of our own, take in those who are in the queue already."""
        if self._stopped:
            return
        self._stopped = True
        self._port.stopReading()
        if not self.passed:
            if self._listening.path is not None:
                self._listening.unlink()
                self._listening.socket.shutdown(socket.SHUT_RD)
            self._accept_the_rest()
        self._listening.socket.close()
        self._port.stopListening()

    def _accept_the_rest(self) -> None:
        while True:
            try:
                connection, _ = self._listening.socket.accept()
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINVAL):  # empty; empty and shut down
                    log.error("{uri}: the last accept failed: {error}", uri=self.uri, error=error)
                return
            with connection:
                connection.setblocking(False)
                self._reactor.adoptStreamConnection(connection.fileno(), connection.family, self._factory)


FactoryMaker = Callable[[str], IProtocolFactory]


def listen(
    endpoint: Endpoint, passed: tuple[PassedDescriptor, ...], make_factory: FactoryMaker, reactor: Any
) -> Listener:
    """Listen on an endpoint.

    Args:
        make_factory: gives the factory for a listener's URI.

    Raises:
        ListenError: it cannot; the message says where and why.
    """
    if isinstance(endpoint, TlsEndpoint):
        _need_openssl(endpoint)
    listening = _open(endpoint, passed)
    factory = make_factory(listening.uri)
    if isinstance(endpoint, TlsEndpoint):
        factory = _over_tls(endpoint, factory)
    if not (isinstance(endpoint, TlsEndpoint) and endpoint.client_authorities):
        _warn_of_callers(listening)
    listener = Listener(listening, factory, reactor)
    log.info("API service listening on {where} URI {uri}", where=listening.uri.partition("://")[2], uri=listening.uri)
    return listener


def _open(endpoint: Endpoint, passed: tuple[PassedDescriptor, ...]) -> ListeningSocket:
    if isinstance(endpoint, UnixEndpoint):
        return open_unix(endpoint)
    if isinstance(endpoint, PassedEndpoint):
        return take_passed(find_passed(endpoint, passed), endpoint.domain)
    return open_tcp(endpoint)


def _warn_of_callers(listening: ListeningSocket) -> None:
    """Of an address that others than root can call: judged by the socket, which may have been bound by someone else."""
    if listening.reach is Reach.MACHINE:
        log.warn("{uri} can be called by every user of this machine, who is root by it", uri=listening.uri)
    elif listening.reach is Reach.OTHERS:
        log.warn(
            "{uri} is reachable from other machines, and whoever calls this API is root on this one", uri=listening.uri
        )


def _need_openssl(endpoint: TlsEndpoint) -> None:
    try:
        import_module("apiserver.daemon.tls")
    except ImportError as error:
        raise ListenError(
            f"cannot listen on port {endpoint.port} with TLS: {error}; "
            "the extra apiserver[tls] is not installed, which is: pip install 'twisted[tls]'"
        ) from error


def _over_tls(endpoint: TlsEndpoint, factory: IProtocolFactory) -> IProtocolFactory:
    from apiserver.daemon.tls import over_tls  # imports OpenSSL, which costs as much as all the rest of the start

    return over_tls(endpoint, factory)
