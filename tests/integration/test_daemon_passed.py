"""What is passed to the service and cannot be served: one line, and an exit status of 1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import PROGRAM

# As descriptor 3 alone, and LISTEN_PID has to be the service's own.
BECOME = """
import os, sys
number = int(sys.argv[1])
if number != 3:
    os.dup2(number, 3)
    os.close(number)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s"))
        made.listen(5)
        yield made


def serve(tmp_path: Path, listening: socket.socket, *options: str, **spoken: str) -> subprocess.CompletedProcess[str]:
    """Serve what is passed, until it fails or is idle."""
    places = ("--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--idle-timeout", "0.2")
    return subprocess.run(
        [sys.executable, "-ISc", BECOME, str(listening.fileno()), str(PROGRAM), "serve", *places, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **spoken},
        pass_fds=[listening.fileno()],
    )


def test_a_descriptor_that_is_counted_and_not_there_is_named(tmp_path: Path, listening: socket.socket) -> None:
    done = serve(tmp_path, listening, LISTEN_FDS="3")
    assert done.returncode == 1
    assert "cannot start: passed descriptor 4 was not open at the start, though LISTEN_FDS counts it" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_is_there_is_served_whatever_others_are_missing(tmp_path: Path, listening: socket.socket) -> None:
    done = serve(tmp_path, listening, "--listen", "systemd:domain=UNIX:index=0", LISTEN_FDS="3")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("second", ["index=0", "name=api"])
def test_a_descriptor_that_is_named_twice_is_refused(tmp_path: Path, listening: socket.socket, second: str) -> None:
    endpoints = ("--listen", "systemd:domain=UNIX:index=0", "--listen", f"systemd:domain=UNIX:{second}")
    done = serve(tmp_path, listening, *endpoints, LISTEN_FDS="1", LISTEN_FDNAMES="api")
    assert done.returncode == 1
    (said,) = (line for line in done.stderr.splitlines() if " error " in line)
    assert "cannot start: passed descriptor 3 is named twice: with index 0 and with " in said
    assert "API service listening" not in done.stderr
