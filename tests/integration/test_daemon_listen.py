"""Listening sockets as the kernel has them: modes, stale files, passed descriptors, and a queue at the end."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs

from apiserver.daemon.endpoints import Endpoint, PassedEndpoint, TcpEndpoint, UnixEndpoint, parse_endpoint
from apiserver.daemon.environment import PassedDescriptor
from apiserver.daemon.listen import Listener, listen
from apiserver.daemon.sockets import ListenError


class Greeter(Protocol):
    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class Greeting(Factory):
    protocol = Greeter
    noisy = False


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def start(endpoint: Endpoint, *passed: int) -> Listener:
    return listen(endpoint, tuple(PassedDescriptor(fd, "api") for fd in passed), lambda uri: Greeting(), reactor)


def turn() -> Deferred[None]:
    return deferLater(reactor, 0.02)


async def greeting(client: socket.socket) -> bytes:
    """What a client is told first; a busy machine may keep the reactor from accepting it for longer than a turn."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return client.recv(10)
        except BlockingIOError:
            assert time.monotonic() < deadline, "nothing is said to the client"
            await turn()


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client


def held(path: Path) -> socket.socket:
    """What systemd keeps: listening, and blocking."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(5)
    path.chmod(0o640)
    return listening


@pytest_twisted.ensureDeferred
async def test_our_own_socket_has_the_mode_and_group_that_were_asked_for_and_goes_with_us(folder: Path) -> None:
    path = folder / "new" / "s"
    listener = start(parse_endpoint(f"unix:{path}:mode=600:group=daemon"))
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o600, 0, 1)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert listener.uri == f"unix://{path}"
    with connected(path) as client:
        assert await greeting(client) == b"hello"
    listener.stop()
    await turn()
    assert not path.exists()


@pytest_twisted.ensureDeferred
async def test_the_mode_is_660_where_none_was_asked_for(folder: Path) -> None:
    listener = start(UnixEndpoint(folder / "s"))
    assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o660
    listener.stop()
    await turn()


@pytest_twisted.ensureDeferred
async def test_a_stale_socket_file_is_replaced(folder: Path) -> None:
    held(folder / "s").close()
    listener = start(UnixEndpoint(folder / "s"))
    with connected(folder / "s") as client:
        assert await greeting(client) == b"hello"
    listener.stop()
    await turn()


def test_a_socket_that_somebody_answers_on_is_left_alone_with_a_clear_error(folder: Path) -> None:
    with held(folder / "s"):
        with pytest.raises(ListenError, match="another process listens there"):
            start(UnixEndpoint(folder / "s"))
        connected(folder / "s").close()


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (UnixEndpoint(Path("/proc/nowhere/s")), "cannot make /proc/nowhere"),
        (UnixEndpoint(Path("/etc/passwd")), "not a socket"),
        (UnixEndpoint(Path("/tmp/" + "x" * 120)), "too long"),
        (UnixEndpoint(Path("/tmp/s"), group="no-such-group"), "no-such-group"),
        (TcpEndpoint(1, "203.0.113.7"), "203.0.113.7 port 1"),
        (PassedEndpoint("UNIX", index=0), "no descriptor"),
        (PassedEndpoint("UNIX", name="api"), "no descriptor"),
    ],
)
def test_where_it_cannot_listen_it_says_where_and_why(endpoint: Endpoint, said: str) -> None:
    with pytest.raises(ListenError, match=said):
        start(endpoint)


@pytest_twisted.ensureDeferred
async def test_a_passed_socket_keeps_path_mode_and_queue_when_we_stop(folder: Path) -> None:
    path = folder / "s"
    with held(path) as holder:
        before = path.stat()
        listener = start(PassedEndpoint("UNIX", name="api"), os.dup(holder.fileno()))
        with connected(path) as client:
            assert await greeting(client) == b"hello"
        assert path.stat().st_mode == before.st_mode
        listener.pause()
        with connected(path) as queued:
            assert listener.waiting()
            listener.stop()
            await turn()
            assert (path.stat().st_ino, path.stat().st_mode) == (before.st_ino, before.st_mode)
            accepted, _ = holder.accept()  # for the next process
            accepted.close()
            assert queued.recv(10) == b""


@pytest_twisted.ensureDeferred
async def test_a_pause_can_be_taken_back(folder: Path) -> None:
    listener = start(UnixEndpoint(folder / "s"))
    listener.pause()
    assert not listener.waiting()
    with connected(folder / "s") as client:
        await turn()
        assert listener.waiting()
        listener.resume()
        assert await greeting(client) == b"hello"
    listener.stop()
    await turn()


@pytest_twisted.ensureDeferred
async def test_who_is_in_the_queue_of_our_own_socket_at_the_end_is_served_and_who_comes_later_refused(
    folder: Path,
) -> None:
    path = folder / "s"
    other_way_in = folder / "hard"  # one that resolved the path before it was unlinked
    listener = start(UnixEndpoint(path))
    other_way_in.hardlink_to(path)
    listener.pause()
    queued = [connected(path) for _ in range(5)]
    listener.stop()
    with pytest.raises(ConnectionRefusedError):
        connected(other_way_in)
    assert [await greeting(client) for client in queued] == [b"hello"] * 5
    for client in queued:
        client.close()


@pytest_twisted.ensureDeferred
async def test_a_path_that_is_somebody_elses_by_now_is_not_unlinked(folder: Path) -> None:
    path = folder / "s"
    listener = start(UnixEndpoint(path))
    path.unlink()
    with held(path):
        listener.stop()
        await turn()
        assert path.exists()


@pytest_twisted.ensureDeferred
async def test_tcp_is_on_loopback_and_says_its_port() -> None:
    with capturedLogs() as logged:
        listener = start(TcpEndpoint(0))
    host, _, port = listener.uri.removeprefix("tcp://").partition(":")
    assert host == "127.0.0.1"
    assert not any("reachable" in event.get("log_format", "") for event in logged)
    assert any("by every user of this machine" in event.get("log_format", "") for event in logged)
    with socket.create_connection((host, int(port))) as client:
        client.setblocking(False)
        assert await greeting(client) == b"hello"
    listener.stop()
    await turn()


@pytest_twisted.ensureDeferred
async def test_another_address_is_allowed_but_warned_of() -> None:
    with capturedLogs() as logged:
        listener = start(TcpEndpoint(0, "0.0.0.0"))
    assert any("reachable from other machines" in event.get("log_format", "") for event in logged)
    listener.stop()
    await turn()


@pytest.mark.parametrize(
    ("family", "address", "said"),
    [
        (socket.AF_INET, "0.0.0.0", "reachable from other machines"),
        (socket.AF_INET6, "::", "reachable from other machines"),
        (socket.AF_INET, "127.0.0.2", "by every user of this machine"),
        (socket.AF_INET6, "::1", "by every user of this machine"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "by every user of this machine"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_of_a_passed_socket_too_it_is_said_who_can_call_it(
    family: socket.AddressFamily, address: str, said: str
) -> None:
    with socket.socket(family) as holder, capturedLogs() as logged:
        holder.bind((address, 0))
        holder.listen(5)
        listener = start(PassedEndpoint(index=0), os.dup(holder.fileno()))
    (warning,) = (event["log_format"] for event in logged if event["log_level"] is LogLevel.warn)
    assert said in warning
    listener.stop()
    await turn()


@pytest_twisted.ensureDeferred
async def test_of_a_unix_socket_there_is_nothing_to_warn(folder: Path) -> None:
    with capturedLogs() as logged:
        listener = start(UnixEndpoint(folder / "s"))
    assert not [event for event in logged if event["log_level"] is LogLevel.warn]
    listener.stop()
    await turn()


def test_what_was_passed_must_be_a_listening_stream_socket_of_the_domain(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent, pytest.raises(ListenError, match="not a listening stream"):
        start(PassedEndpoint("UNIX", index=0), silent.fileno())
    with held(folder / "s") as unix, pytest.raises(ListenError, match="not of the domain INET"):
        start(PassedEndpoint("INET", index=0), unix.fileno())
    with open(os.devnull) as null, pytest.raises(ListenError, match="not a socket"):
        start(PassedEndpoint("UNIX", index=0), null.fileno())


@pytest_twisted.ensureDeferred
async def test_no_descriptor_of_a_listener_reaches_a_child(folder: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with held(folder / "p") as holder:
        passed = start(PassedEndpoint(index=0), os.dup(holder.fileno()))
        own = start(UnixEndpoint(folder / "s"))
        new = [
            int(name) for name in set(os.listdir("/proc/self/fd")) - before if Path(f"/proc/self/fd/{name}").exists()
        ]
        assert len(new) >= 4
        assert not any(os.get_inheritable(fd) for fd in new)
        passed.stop()
        own.stop()
        await turn()
