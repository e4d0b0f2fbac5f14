"""What systemd is told, and that nothing of it reaches a child."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from apiserver.daemon.environment import PassedDescriptor, take_invocation
from apiserver.daemon.notify import STATUS_INTERVAL, Notifier, StatusLine


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """systemd's end."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"{folder}/n")
        end.settimeout(0)
        yield end


def address(manager: socket.socket) -> str:
    name = manager.getsockname()
    assert isinstance(name, str)
    return name


def test_ready_says_which_process_serves(manager: socket.socket) -> None:
    Notifier(address(manager)).ready()
    assert manager.recv(1000) == b"MAINPID=%d\nREADY=1" % os.getpid()


def test_a_longer_stop_is_asked_for_in_microseconds(manager: socket.socket) -> None:
    notifier = Notifier(address(manager))
    notifier.stopping()
    notifier.extend(2.5)
    assert (manager.recv(1000), manager.recv(1000)) == (b"STOPPING=1", b"EXTEND_TIMEOUT_USEC=2500000")


def test_an_address_that_begins_with_an_at_sign_is_abstract() -> None:
    name = f"apiserver-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0{name}")
        end.settimeout(0)
        Notifier(f"@{name}").stopping()
        assert end.recv(1000) == b"STOPPING=1"


def test_a_message_that_does_not_get_through_is_logged_and_no_more() -> None:
    with capturedLogs() as logged:
        Notifier("/nowhere/notify").ready()
    assert [event["log_level"] for event in logged] == [LogLevel.warn]


def test_without_systemd_nothing_is_said() -> None:
    with capturedLogs() as logged:
        Notifier(None).ready()
    assert list(logged) == []


def test_the_status_is_sent_once_for_many_changes(manager: socket.socket) -> None:
    clock = Clock()
    status = StatusLine(Notifier(address(manager)), lambda: "2 connections", clock)
    status.changed()
    status.changed()
    clock.advance(STATUS_INTERVAL)
    assert manager.recv(1000) == b"STATUS=2 connections"
    with pytest.raises(BlockingIOError):
        manager.recv(1000)
    status.changed()
    status.stop()
    assert clock.getDelayedCalls() == []


def test_without_systemd_no_timer_wakes_us_for_a_status() -> None:
    clock = Clock()
    StatusLine(Notifier(None), lambda: "", clock).changed()
    assert clock.getDelayedCalls() == []


def spoken(**more: str) -> dict[str, str]:
    return {"PATH": "/bin", "LISTEN_PID": str(os.getpid()), "NOTIFY_SOCKET": "/n", "INVOCATION_ID": "f00", **more}


def test_the_environment_is_read_and_then_says_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []
    monkeypatch.setattr("os.set_inheritable", lambda fd, inheritable: closed.append(fd))
    environ = spoken(LISTEN_FDS="2", LISTEN_FDNAMES="api:tcp", LISTEN_PIDFDID="1")
    invocation = take_invocation(environ)
    assert invocation.passed == (PassedDescriptor(3, "api"), PassedDescriptor(4, "tcp"))
    assert invocation.notify_socket == "/n"
    assert (environ, closed) == ({"PATH": "/bin"}, [3, 4])


def test_descriptors_need_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.set_inheritable", lambda fd, inheritable: None)
    assert take_invocation(spoken(LISTEN_FDS="1")).passed == (PassedDescriptor(3, ""),)


@pytest.mark.parametrize("count", ["3", "1000000000"])
def test_the_first_descriptor_that_is_counted_and_not_open_is_the_last_that_is_known(
    monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    def set_inheritable(fd: int, inheritable: bool) -> None:
        if fd > 3:
            raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr("os.set_inheritable", set_inheritable)
    passed = take_invocation(spoken(LISTEN_FDS=count, LISTEN_FDNAMES="a:b:c")).passed
    assert passed == (PassedDescriptor(3, "a"), PassedDescriptor(4, "b", missing=True))


@pytest.mark.parametrize("more", [{"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "x"}, {}])
def test_descriptors_that_are_not_meant_for_us_are_left_alone(more: dict[str, str]) -> None:
    environ = spoken(**more)
    assert take_invocation(environ).passed == ()
    assert environ == {"PATH": "/bin"}


def test_listeners_are_one_uri_a_line_and_readable_by_root_alone(tmp_path: Path) -> None:
    from apiserver.daemon.listeners_file import remove_listeners, write_listeners

    write_listeners(tmp_path, ["unix:///a", "tcp://127.0.0.1:1"])
    file = tmp_path / "listeners"
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("unix:///a\ntcp://127.0.0.1:1\n", 0o600)
    assert list(tmp_path.iterdir()) == [file]
    remove_listeners(tmp_path)
    remove_listeners(tmp_path)
    assert list(tmp_path.iterdir()) == []
