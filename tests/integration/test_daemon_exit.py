"""How the process ends: its exit status, by both ways to run it, and what it leaves and tells."""

from __future__ import annotations

import fcntl
import http.client
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apiserver.drivers.linux.syscalls import call
from tests.support.service import PROGRAM, UnixConnection

SERVE = (str(PROGRAM), "serve")
TWISTD = (str(PROGRAM.with_name("twistd")), "-n", "--pidfile=", "apiserver")
LIMIT = 30.0
IN_CLOSE_WRITE = 0x8

both_ways = pytest.mark.parametrize("program", [SERVE, TWISTD], ids=["serve", "twistd"])


class Run:
    """One process of the service in a folder of its own."""

    def __init__(self, folder: Path, program: tuple[str, ...], *options: str, **environment: str) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self._log = (folder / "log").open("ab")
        places = ("--root", str(folder / "root"), "--runroot", str(folder / "run"), "--listen", f"unix:{self.socket}")
        self.process = subprocess.Popen(
            [*program, *places, *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd=folder,
            env={**os.environ, **environment},
        )

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT
        while not true():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    def serving(self) -> Run:
        self.until(lambda: "API service listening" in self.log or self.process.poll() is not None)
        assert self.process.poll() is None, self.log
        return self

    def heeds_sigterm(self) -> bool:
        (line,) = [
            line for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if "SigCgt" in line
        ]
        return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

    def ping(self) -> http.client.HTTPResponse:
        connection = UnixConnection(self.socket)
        connection.request("GET", "/_ping")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def status(self) -> int:
        return self.process.wait(LIMIT)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        runs: list[Run] = []

        def start(program: tuple[str, ...], *options: str, **environment: str) -> Run:
            runs.append(Run(Path(name), program, *options, **environment))
            return runs[-1]

        yield start
        for each in runs:
            each.close()


@both_ways
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_service_that_was_told_to_stop_ends_with_0_and_leaves_nothing_in_the_way(
    run: Callable[..., Run], program: tuple[str, ...], number: signal.Signals
) -> None:
    pid_file = "pid"
    service = run(program, "--idle-timeout", "0", "--pid-file", pid_file).serving()
    assert service.ping().status == 200
    assert (service.folder / pid_file).read_text() == f"{service.process.pid}\n"
    assert (service.folder / "run/listeners").read_text() == f"unix://{service.socket}\n"
    service.send(number)
    assert service.status() == 0, service.log
    for name in ("s", pid_file, "run/listeners"):
        assert not (service.folder / name).exists()


@both_ways
def test_an_idle_service_leaves_with_0(run: Callable[..., Run], program: tuple[str, ...]) -> None:
    service = run(program, "--idle-timeout", "0.2")
    assert service.status() == 0, service.log
    assert "shutting down: idle" in service.log


@both_ways
def test_where_it_cannot_listen_it_ends_with_1_and_says_where(
    run: Callable[..., Run], program: tuple[str, ...]
) -> None:
    service = run(program, "--listen", "unix:/proc/nowhere/s")
    assert service.status() == 1
    assert "cannot start: cannot make /proc/nowhere" in service.log
    assert not service.socket.exists()


@both_ways
def test_a_signal_before_it_is_ready_ends_with_1(run: Callable[..., Run], program: tuple[str, ...]) -> None:
    service = run(program)
    service.until(service.heeds_sigterm)
    service.send(signal.SIGTERM)
    assert service.status() == 1
    assert "API service listening" not in service.log


@contextmanager
def asked_for(lock: Path) -> Iterator[None]:
    """Ends when somebody has opened this file to write, tried to lock it, and closed it again."""
    news = call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK, what="inotify")
    try:
        call("inotify_add_watch", news, os.fsencode(lock), IN_CLOSE_WRITE, what=str(lock))
        yield
        assert select.select([news], [], [], LIMIT)[0], "nobody wants the lock"
    finally:
        os.close(news)


def test_a_signal_while_it_waits_for_the_root_ends_with_1(run: Callable[..., Run]) -> None:
    service = run(SERVE, "--log-level", "debug")
    service.serving().send(signal.SIGTERM)
    assert service.status() == 0
    with (service.folder / "root/lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (service.folder / "log").write_bytes(b"")
        with asked_for(service.folder / "root/lock"):
            second = run(SERVE, "--log-level", "debug")
        second.send(signal.SIGTERM)
        told = time.monotonic()
        assert second.status() == 1
        assert time.monotonic() - told < 5, "it does not wait for the lock to its limit of 10 s"
    assert "told to stop while" in second.log
    assert "Traceback" not in second.log
    assert "API service listening" not in second.log


def test_a_second_daemon_on_a_root_is_refused_and_told_who_has_it(run: Callable[..., Run]) -> None:
    first = run(SERVE, "--idle-timeout", "0", "--pid-file", "pid").serving()
    second = run(SERVE, "--pid-file", "pid")
    assert second.status() == 1
    assert (first.folder / "pid").read_text() == f"{first.process.pid}\n", "the file is the first one's"
    assert f"PID {first.process.pid}" in second.log
    assert first.ping().status == 200
    first.send(signal.SIGTERM)
    assert first.status() == 0


def test_a_halt_waits_for_a_request_under_way_and_a_second_signal_does_not(run: Callable[..., Run]) -> None:
    service = run(SERVE, "--idle-timeout", "0", "--drain-timeout", "60").serving()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(service.socket))
        client.send(b"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n")
        service.until(lambda: service.ping().status == 200)
        service.send(signal.SIGTERM)
        service.until(lambda: "waiting up to" in service.log)
        time.sleep(0.3)
        assert service.process.poll() is None
        service.send(signal.SIGTERM)
        assert service.status() == 0, service.log
    assert "cut off" in service.log


def test_the_drain_limit_cuts_off_who_takes_longer(run: Callable[..., Run]) -> None:
    service = run(SERVE, "--idle-timeout", "0", "--drain-timeout", "0.3").serving()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(service.socket))
        client.send(b"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n")
        service.until(lambda: service.ping().status == 200)
        service.send(signal.SIGTERM)
        assert service.status() == 0, service.log
    assert "cut off at the deadline" in service.log


@both_ways
def test_systemd_is_told_of_ready_and_stopping(run: Callable[..., Run], program: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{name}/n")
        manager.settimeout(LIMIT)
        service = run(program, "--idle-timeout", "0", NOTIFY_SOCKET=f"{name}/n", INVOCATION_ID="f00")
        assert manager.recv(1000).decode() == f"MAINPID={service.process.pid}\nREADY=1"
        assert service.ping().status == 200
        service.send(signal.SIGTERM)
        heard = manager.recv(1000)
        while heard.startswith(b"STATUS="):
            heard = manager.recv(1000)
        assert heard == b"STOPPING=1"
        assert service.status() == 0


def test_a_second_sighup_still_waits_for_a_request_under_way(run: Callable[..., Run]) -> None:
    service = run(SERVE, "--idle-timeout", "0", "--drain-timeout", "60").serving()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(service.socket))
        client.send(b"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n")
        service.until(lambda: service.ping().status == 200)
        service.send(signal.SIGHUP)
        service.until(lambda: "waiting up to" in service.log)
        service.send(signal.SIGHUP)
        service.until(lambda: service.log.count("SIGHUP received") == 2)
        client.send(bytes(100))
        assert client.recv(1000).startswith(b"HTTP/1.1 ")
    assert service.status() == 0, service.log
    assert "cut off" not in service.log


def test_a_terminal_that_is_closed_ends_the_service_as_sigterm_does() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        places = f"--root {folder / 'root'} --runroot {folder / 'run'} --pid-file {folder / 'pid'}".split()
        master, slave = os.openpty()
        # The new session's leader takes the terminal by opening it.
        script = f'exec <{os.ttyname(slave)} >{os.ttyname(slave)} 2>&1; exec "$@"'
        command = ["sh", "-c", script, "sh", *SERVE, *places, "--listen", f"unix:{folder / 's'}"]
        with subprocess.Popen(command, start_new_session=True) as service:
            try:
                said = b""
                while b"API service listening" not in said:
                    said += os.read(master, 1000)
                os.close(slave)
                os.close(master)
                assert service.wait(LIMIT) == 0
            finally:
                service.kill()
        assert not [folder / left for left in ("s", "pid", "run/listeners") if (folder / left).exists()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_was_ignored_stays_ignored(run: Callable[..., Run], number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        service = run(SERVE, "--idle-timeout", "0")
    finally:
        signal.signal(number, before)
    service.serving().send(number)
    time.sleep(0.3)
    assert service.ping().status == 200
    service.send(signal.SIGTERM)
    assert service.status() == 0


def test_openssl_is_imported_only_where_tls_is_configured(run: Callable[..., Run]) -> None:
    service = run(SERVE, "--idle-timeout", "0").serving()
    service.ping()
    assert "cryptography" not in Path(f"/proc/{service.process.pid}/maps").read_text()
    service.send(signal.SIGTERM)
    assert service.status() == 0
