"""`podman --remote exec` on the real service."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Iterator

import pytest

from tests.support.podman import Podman
from tests.support.service import Service

LIBPOD = "/v5.0.0/libpod"


@pytest.fixture(autouse=True)
def box(service: Service) -> Iterator[str]:
    body = {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none", "Init": False}}
    assert service.request("POST", "/containers/create?name=box", body)[0] == 201
    assert service.request("POST", "/containers/box/start")[0] == 204
    yield "box"
    service.remove_containers()


def test_an_exec_has_its_output_its_streams_apart_and_its_code(podman: Podman) -> None:
    said = podman("exec", "box", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (said.stdout, said.stderr, said.code) == ("out\n", "err\n", 7)


def test_standard_input_goes_in_and_ends(podman: Podman) -> None:
    assert podman.ok("exec", "-i", "box", "cat", input="given\n") == "given"


def test_user_directory_and_environment_are_as_asked(podman: Podman) -> None:
    said = podman.ok(
        "exec", "-u", "1234:5678", "-w", "/tmp", "-e", "A=b", "box", "sh", "-c", "id -u; id -g; pwd; echo $A"
    )
    assert said.split() == ["1234", "5678", "/tmp", "b"]


@pytest.mark.parametrize(("asked", "directory"), [("etc", "/etc"), ("../etc", "/etc"), ("./tmp/../home", "/home")])
def test_a_directory_that_is_not_absolute_begins_at_the_root(podman: Podman, asked: str, directory: str) -> None:
    assert podman.ok("exec", "-w", asked, "box", "pwd") == directory


@pytest.mark.parametrize("asked", ["proc/self/fd/7", "../proc/1/fd", "a\nb"])
def test_a_directory_that_is_refused_is_so_without_its_slash(podman: Podman, asked: str) -> None:
    said = podman("exec", "-w", asked, "box", "pwd")
    assert (said.code, "WorkingDir" in said.stderr or "working directory" in said.stderr) == (125, True)


def test_a_privileged_exec_has_more_capabilities(podman: Podman) -> None:
    def effective(*options: str) -> int:
        return int(podman.ok("exec", *options, "box", "grep", "CapEff", "/proc/self/status").split()[1], 16)

    assert effective("--privileged") > effective()


def test_a_missing_program_is_127_and_one_that_cannot_be_executed_126(podman: Podman) -> None:
    missing = podman("exec", "box", "no-such-program")
    assert missing.code == 127
    assert "no-such-program" in missing.stderr
    assert "OCI runtime attempted to invoke a command that was not found" in missing.stderr
    closed = podman("exec", "box", "/etc")
    assert (closed.code, "OCI permission denied" in closed.stderr) == (126, True)


@pytest.mark.parametrize(
    ("directory", "code", "cause"),
    [
        ("/nope", 127, "OCI runtime attempted to invoke a command that was not found"),
        ("/bin/sh", 125, "OCI runtime error"),
    ],
)
def test_a_directory_that_is_missing_is_127_and_a_file_125(
    podman: Podman, directory: str, code: int, cause: str
) -> None:
    said = podman("exec", "-w", directory, "box", "true")
    assert (said.code, said.stderr.strip().endswith(f": {cause}")) == (code, True), said.stderr


@pytest.mark.parametrize("user", ["nobody-here", "root:nobodys-group"])
def test_a_user_that_there_is_not_is_125(podman: Podman, user: str) -> None:
    said = podman("exec", "--user", user, "box", "true")
    assert (said.code, "no matching entries in" in said.stderr) == (125, True)


def test_what_cannot_be_run_in_is_125(podman: Podman, service: Service) -> None:
    missing = podman("exec", "nope", "true")
    assert (missing.code, "no such container" in missing.stderr) == (125, True)
    assert service.request("POST", "/containers/box/kill")[0] == 204
    stopped = podman("exec", "box", "true")
    assert (stopped.code, "container state improper" in stopped.stderr) == (125, True)


def test_a_detached_exec_says_its_id_and_runs_on(podman: Podman, service: Service) -> None:
    exec_id = podman.ok("exec", "-d", "box", "sh", "-c", "echo done > /tmp/file; sleep 1000")
    shown = json.loads(service.request("GET", f"{LIBPOD}/exec/{exec_id}/json")[1])
    assert (shown["Running"], shown["CanRemove"], shown["ExitCode"]) == (True, False, 0)
    assert podman.ok("exec", "box", "sh", "-c", "until [ -s /tmp/file ]; do sleep 0.05; done; cat /tmp/file") == "done"
    assert service.request("POST", f"{LIBPOD}/exec/{exec_id}/remove", {})[0] == 409
    assert service.request("POST", f"{LIBPOD}/exec/{exec_id}/remove", {"Force": True}) == (200, b"")
    assert service.request("GET", f"{LIBPOD}/exec/{exec_id}/json")[0] == 404
    assert "sleep 1000" not in podman.ok("exec", "box", "sh", "-c", "ps | grep -v grep | grep -v '  1 '")


class Terminal:
    """A terminal of a size, with what a program wrote to it."""

    def __init__(self, rows: int, columns: int) -> None:
        self.ours, self.theirs = pty.openpty()
        self.written = ""
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def until(self, text: str, seconds: float = 20) -> None:
        limit = time.monotonic() + seconds
        while text not in self.written:
            assert select.select([self.ours], [], [], max(0, limit - time.monotonic()))[0], self.written
            self.written += os.read(self.ours, 4096).decode(errors="replace")

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(33, 77)
    yield made
    made.close()


def test_a_terminal_has_the_size_of_the_clients_and_follows_it(podman: Podman, terminal: Terminal) -> None:
    with podman.on_terminal("exec", "-it", "box", "sh", terminal=terminal.theirs) as client:
        try:
            terminal.type("until [ \"$(stty size)\" = '33 77' ]; do :; done; echo si''zed\r")
            terminal.until("sized")
            terminal.resize(44, 88)
            os.kill(client.pid, 28)  # SIGWINCH, which the client's own terminal would send
            terminal.type("until [ \"$(stty size)\" = '44 88' ]; do :; done; echo re''sized $TERM\r")
            terminal.until("resized xterm")
            terminal.type("exit 9\r")
            assert client.wait(20) == 9
        finally:
            client.kill()


def test_the_detach_keys_leave_and_the_program_stays(podman: Podman, terminal: Terminal, service: Service) -> None:
    with podman.on_terminal("exec", "-it", "--detach-keys", "a,b", "box", "sh", terminal=terminal.theirs) as client:
        try:
            terminal.until("#")
            terminal.type("ab")
            client.wait(20)
        finally:
            client.kill()
    shown = json.loads(service.request("GET", f"{LIBPOD}/containers/box/json")[1])
    assert len(shown["ExecIDs"]) == 1
