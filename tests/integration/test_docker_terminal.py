"""Terminals through the docker CLI: a real pty at the client, a real one in the container."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from types import TracebackType

import pytest

from tests.support.docker import CLIENT, Docker
from tests.support.outside import until
from tests.support.service import Service


class Terminal:
    """A docker command with a terminal of 33 rows and 77 columns."""

    def __init__(self, docker: Docker, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.resize(33, 77, tell=False)
        self._process = subprocess.Popen(
            [CLIENT, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=docker.environment,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def resize(self, rows: int, columns: int, *, tell: bool = True) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self._process.send_signal(signal.SIGWINCH)

    def type(self, data: bytes) -> None:
        os.write(self._master, data)

    def has(self, text: bytes, seconds: float = 0.5) -> bool:
        """Whether `text` is seen by then."""
        deadline = time.monotonic() + seconds
        while text not in self.seen and select.select([self._master], [], [], max(0, deadline - time.monotonic()))[0]:
            self.seen += os.read(self._master, 4096)
        return text in self.seen

    def until(self, text: bytes, seconds: float = 30) -> bytes:
        """Read until `text` is seen."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert select.select([self._master], [], [], deadline - time.monotonic())[0], self.seen
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # the other side is closed
                piece = b""
            assert piece, self.seen
            self.seen += piece
        return self.seen

    def ended(self, seconds: float = 30) -> int:
        return self._process.wait(seconds)


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def test_the_containers_terminal_is_as_large_as_the_clients_also_after_a_resize(docker: Docker) -> None:
    script = "for s in '33 77' '44 88'; do until [ \"$(stty size)\" = \"$s\" ]; do sleep 0.1; done; stty size; done"
    with Terminal(docker, "run", "--rm", "-it", "--network", "none", "busybox", "sh", "-c", script) as terminal:
        terminal.until(b"33 77\r\n")

        def told() -> bool:
            terminal.resize(44, 88)
            return terminal.has(b"44 88\r\n")

        # The client listens for changes only after it has sent the first size: one that comes in between is lost to it.
        until(told, "the second size is there")
        assert terminal.ended() == 0


def test_what_is_typed_is_echoed_and_the_exit_code_comes_back(docker: Docker) -> None:
    with Terminal(docker, "run", "-it", "--name", "tt", "--network", "none", "busybox", "sh") as terminal:
        terminal.until(b"# ")
        terminal.type(b"echo a$((1+1))b\n")
        terminal.until(b"a2b")
        terminal.type(b"exit 7\n")
        assert terminal.ended() == 7
    assert "a2b\r\n" in docker.binary("logs", "tt").stdout.decode()


def test_an_exec_has_a_terminal_of_its_own(docker: Docker) -> None:
    docker.ok("run", "-d", "--name", "tt", "--network", "none", "busybox", "sleep", "100")
    with Terminal(docker, "exec", "-it", "tt", "sh", "-c", "sleep 1; stty size; exit 5") as terminal:
        terminal.until(b"33 77\r\n")
        assert terminal.ended() == 5


def test_the_detach_keys_leave_the_container_running_and_attach_comes_back(docker: Docker) -> None:
    with Terminal(docker, "run", "-it", "--name", "tt", "--network", "none", "busybox", "sh") as terminal:
        terminal.until(b"# ")
        terminal.type(b"\x10\x11")
        assert terminal.ended() == 0
    assert docker.ok("inspect", "-f", "{{.State.Running}}", "tt") == "true"
    with Terminal(docker, "attach", "tt") as terminal:
        terminal.type(b"echo back; exit 9\n")
        terminal.until(b"back\r\n")
        assert terminal.ended() == 9
