"""Listening sockets from the kernel's side: opened by us, or passed to us; no reactor here."""

from __future__ import annotations

import grp
import ipaddress
import os
import socket
import stat
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from apiserver.daemon.endpoints import Endpoint, PassedEndpoint, TcpEndpoint, TlsEndpoint, UnixEndpoint
from apiserver.daemon.environment import PassedDescriptor

_FAMILIES = {"UNIX": socket.AF_UNIX, "INET": socket.AF_INET, "INET6": socket.AF_INET6}


class ListenError(Exception):
    """It cannot listen there; the message says where and why."""


class Reach(Enum):
    """Who can call a socket."""

    FILE = "whom the file of a unix socket lets"
    MACHINE = "every user of this machine"
    OTHERS = "other machines"


class ListeningSocket:
    """A socket that listens, close-on-exec and not blocking.

    Attributes:
        uri: `unix:///PATH`, `tcp://ADDRESS:PORT` or `ssl://ADDRESS:PORT`.
        path: of a unix socket that we bound ourselves and have to unlink; None otherwise.
    """

    def __init__(self, listening: socket.socket, uri: str, *, passed: bool = False, path: Path | None = None) -> None:
        self.socket = listening
        self.uri = uri
        self.passed = passed
        self.path = path
        listening.setblocking(False)
        self._identity = _identity(path) if path else None

    @property
    def reach(self) -> Reach:
        if self.socket.family == socket.AF_UNIX:
            return Reach.FILE
        address = ipaddress.ip_address(self.socket.getsockname()[0].partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return Reach.MACHINE if (mapped or address).is_loopback else Reach.OTHERS

    def unlink(self) -> None:
        """Remove the path that we bound, unless another socket stands there by now."""
        if self.path and _identity(self.path) == self._identity:
            self.path.unlink(missing_ok=True)


def open_unix(endpoint: UnixEndpoint) -> ListeningSocket:
    """Bind the path with its final mode and group before anybody can connect.

    A socket file that nobody answers on is replaced; a parent directory that is missing is made, for root alone.

    Raises:
        ListenError: the path is taken, too long or not to be made, or there is no such group.
    """
    path = endpoint.path
    try:
        group = grp.getgrnam(endpoint.group).gr_gid if endpoint.group else 0
    except KeyError as error:
        raise ListenError(f"cannot listen on {path}: there is no group {endpoint.group!r}") from error
    _make_parents(path.parent)
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        path.chmod(endpoint.mode)
        os.chown(path, 0, group)
        listening.listen(socket.SOMAXCONN)
    except OSError as error:
        listening.close()
        raise ListenError(f"cannot listen on {path}: {error.strerror or error}") from error
    return ListeningSocket(listening, f"unix://{path}", path=path)


def open_tcp(endpoint: TcpEndpoint | TlsEndpoint) -> ListeningSocket:
    """Bind an address and a port; port 0 takes a free one, which the URI then says.

    Raises:
        ListenError: the address is not here, or the port is taken.
    """
    interface = "127.0.0.1" if endpoint.interface == "localhost" else endpoint.interface
    listening = socket.socket(socket.AF_INET6 if ":" in interface else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((interface, endpoint.port))
        listening.listen(socket.SOMAXCONN)
    except OSError as error:
        listening.close()
        where = f"{interface} port {endpoint.port}"
        raise ListenError(f"cannot listen on {where}: {error.strerror or error}") from error
    scheme = "ssl" if isinstance(endpoint, TlsEndpoint) else "tcp"
    return ListeningSocket(listening, _inet_uri(scheme, listening))


def find_passed(endpoint: PassedEndpoint, passed: tuple[PassedDescriptor, ...]) -> PassedDescriptor:
    """The descriptor which `systemd:` means.

    Raises:
        ListenError: none was passed under this name or index.
    """
    if endpoint.index is not None and endpoint.index < len(passed):
        return passed[endpoint.index]
    for descriptor in passed:
        if endpoint.name is not None and descriptor.name == endpoint.name:
            return descriptor
    raise ListenError(f"no descriptor with {_which(endpoint)} was passed ({len(passed)} in all)")


def refuse_twice(endpoints: Iterable[Endpoint], passed: tuple[PassedDescriptor, ...]) -> None:
    """A descriptor can be taken over once: what closes it for one endpoint would close it for the other.

    Raises:
        ListenError: two endpoints mean the same one, or one that was not passed.
    """
    taken: dict[int, PassedEndpoint] = {}
    for endpoint in endpoints:
        if isinstance(endpoint, PassedEndpoint):
            fd = find_passed(endpoint, passed).fd
            if fd in taken:
                raise ListenError(
                    f"passed descriptor {fd} is named twice: with {_which(taken[fd])} and with {_which(endpoint)}"
                )
            taken[fd] = endpoint


def _which(endpoint: PassedEndpoint) -> str:
    return f"name {endpoint.name!r}" if endpoint.index is None else f"index {endpoint.index}"


def take_passed(descriptor: PassedDescriptor, domain: str | None = None) -> ListeningSocket:
    """Take over a descriptor: never unlinked, bound or shut down, since others hold the same socket.

    Args:
        domain: `UNIX`, `INET` or `INET6`, where the endpoint says what it must be.

    Raises:
        ListenError: it is not there, no listening stream socket, or of another domain.
    """
    which = f"passed descriptor {descriptor.fd}"
    if descriptor.missing:
        raise ListenError(f"{which} was not open at the start, though LISTEN_FDS counts it")
    try:
        listening = socket.socket(fileno=descriptor.fd)
    except OSError as error:
        raise ListenError(f"{which} is not a socket: {error.strerror}") from error
    if listening.type != socket.SOCK_STREAM or not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listening.detach()
        raise ListenError(f"{which} is not a listening stream socket")
    if domain is not None and listening.family != _FAMILIES[domain]:
        listening.detach()
        raise ListenError(f"{which} is not of the domain {domain}")
    if listening.family == socket.AF_UNIX:
        name = listening.getsockname()
        shown = "@" + os.fsdecode(name[1:]) if isinstance(name, bytes) else name
        return ListeningSocket(listening, f"unix://{shown}", passed=True)
    return ListeningSocket(listening, _inet_uri("tcp", listening), passed=True)


def _inet_uri(scheme: str, listening: socket.socket) -> str:
    address, port = listening.getsockname()[:2]
    return f"{scheme}://[{address}]:{port}" if ":" in address else f"{scheme}://{address}:{port}"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _make_parents(directory: Path) -> None:
    missing = [parent for parent in (directory, *directory.parents) if not parent.exists()]
    try:
        for parent in reversed(missing):
            parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ListenError(f"cannot make {directory}: {error.strerror}") from error


def _remove_stale(path: Path) -> None:
    """Remove a socket whose owner is gone; only a connection that is refused proves it."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ListenError(f"cannot listen on {path}: there is a file that is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a queue that is full is EAGAIN then: somebody owns it
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            raise ListenError(f"cannot listen on {path}: in use ({error.strerror})") from error
    raise ListenError(f"cannot listen on {path}: another process listens there")
