"""The exit program: who is told of a container's end while no service of ours watches."""

from __future__ import annotations

import fcntl
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apiserver.errors import HostError
from apiserver.local.exit_program import install_exit_program
from apiserver.local.paths import Paths

ID = "a" * 64


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path / "root", tmp_path / "run")
    paths.root.mkdir()
    paths.runroot.mkdir()
    interpreter = tmp_path / "service python"
    interpreter.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/told"\nexit 7\n')
    interpreter.chmod(0o755)
    install_exit_program(paths, interpreter)
    return paths


@contextmanager
def root_taken(paths: Paths) -> Iterator[None]:
    """A service has the root."""
    with (paths.root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(paths: Paths) -> subprocess.CompletedProcess[str]:
    command = [str(paths.exit_program), str(paths.root), str(paths.runroot), ID, "1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd="/", env={})


def test_a_service_that_accepts_does_the_rest(paths: Paths, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "api sock"))
        listening.listen(1)
        (paths.runroot / "listeners").write_text(f"unix:///nonexistent\nunix://{tmp_path}/api sock\n")
        with root_taken(paths):
            assert run(paths).returncode == 0
        listening.accept()[0].close()
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize("scheme", ["tcp", "ssl"])
def test_a_service_on_tcp_is_found_also_behind_the_address_of_all(paths: Paths, tmp_path: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, root_taken(paths):
        (paths.runroot / "listeners").write_text(f"{scheme}://0.0.0.0:{listening.getsockname()[1]}\n")
        assert run(paths).returncode == 0
    assert not (tmp_path / "told").exists()


def test_a_service_that_the_connection_starts_has_time_to_take_the_root(paths: Paths, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        (paths.runroot / "listeners").write_text(f"tcp://127.0.0.1:{listening.getsockname()[1]}\n")
        command = [str(paths.exit_program), str(paths.root), str(paths.runroot), ID, "1"]
        with subprocess.Popen(command, cwd="/", env={}) as program:
            listening.accept()[0].close()
            time.sleep(0.3)
            assert program.poll() is None
            with root_taken(paths):
                assert program.wait(5) == 0
    assert not (tmp_path / "told").exists()


def test_somebody_else_who_listens_at_the_address_of_a_dead_service_is_no_service(paths: Paths) -> None:
    text = paths.exit_program.read_text()
    assert "TAKING = 10.0" in text
    paths.exit_program.write_text(text.replace("TAKING = 10.0", "TAKING = 0.2"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        (paths.runroot / "listeners").write_text(f"tcp://127.0.0.1:{listening.getsockname()[1]}\n")
        for lock in (False, True):
            if lock:
                (paths.root / "lock").touch()
            assert run(paths).returncode == 7, "it became the service's own reconcile"


def test_where_nobody_accepts_the_services_own_interpreter_reconciles(paths: Paths, tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(dead))
    (paths.runroot / "listeners").write_text(f"unix://{dead}\ntcp://127.0.0.1:x\nnonsense\n")
    assert run(paths).returncode == 7
    told = (tmp_path / "told").read_text().splitlines()
    assert told == ["-I", "-m", "apiserver", "reconcile", "--root", str(paths.root), "--runroot", str(paths.runroot)]


def test_where_no_service_ever_listened_it_reconciles_too(paths: Paths, tmp_path: Path) -> None:
    assert run(paths).returncode == 7
    assert (tmp_path / "told").exists()


@pytest.mark.parametrize("settled", [True, False])
def test_a_service_that_dies_before_it_has_settled_the_end_is_not_relied_upon(
    paths: Paths, tmp_path: Path, settled: bool
) -> None:
    directory = paths.run(ID, 1).directory
    directory.mkdir(parents=True)
    command = [str(paths.exit_program), str(paths.root), str(paths.runroot), ID, "1"]
    with socket.create_server(("127.0.0.1", 0)) as listening, root_taken(paths):
        (paths.runroot / "listeners").write_text(f"tcp://127.0.0.1:{listening.getsockname()[1]}\n")
        program = subprocess.Popen(command, cwd="/", env={})
        listening.accept()[0].close()
        time.sleep(0.3)
        assert program.poll() is None
        if settled:
            directory.rmdir()
            assert program.wait(5) == 0
    assert program.wait(5) == (0 if settled else 7)
    assert (tmp_path / "told").exists() is not settled


@pytest.mark.parametrize("settled", [True, False])
def test_who_waits_while_another_reconciles_does_it_only_where_that_did_not_settle_its_run(
    paths: Paths, tmp_path: Path, settled: bool
) -> None:
    directory = paths.run(ID, 1).directory
    directory.mkdir(parents=True)
    command = [str(paths.exit_program), str(paths.root), str(paths.runroot), ID, "1"]
    with (paths.root / "libexec" / "interpreter").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with subprocess.Popen(command, cwd="/", env={}) as program:
            time.sleep(0.3)
            assert program.poll() is None
            if settled:
                directory.rmdir()
            fcntl.flock(turn, fcntl.LOCK_UN)
            assert program.wait(5) == (0 if settled else 7)
    assert (tmp_path / "told").exists() is not settled


def test_its_turn_lasts_until_the_reconcile_ends(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "service python").write_text(f'#!/bin/sh\ntouch "{tmp_path}/began"\nread -r _\n')
    command = [str(paths.exit_program), str(paths.root), str(paths.runroot), ID, "1"]
    with (
        subprocess.Popen(command, cwd="/", env={}, stdin=subprocess.PIPE) as program,
        (paths.root / "libexec" / "interpreter").open() as turn,
    ):
        while not (tmp_path / "began").exists():
            time.sleep(0.01)
        with pytest.raises(BlockingIOError):
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        program.communicate(b"\n", timeout=5)
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_interpreter_that_is_gone_leaves_it_to_the_next_start(paths: Paths) -> None:
    (paths.root / "libexec" / "interpreter").write_text("/nonexistent/python\n")
    done = run(paths)
    assert (done.returncode, "/nonexistent" in done.stderr or "No such file" in done.stderr) == (1, True)


def test_wrong_arguments_are_refused(paths: Paths) -> None:
    assert subprocess.run([str(paths.exit_program)], capture_output=True, check=False).returncode == 2


def test_it_needs_nothing_of_a_virtual_environment(paths: Paths) -> None:
    first = paths.exit_program.read_text().splitlines()[0]
    assert first.endswith(" -IS")
    assert ".venv" not in first


def test_only_root_can_read_and_change_it(paths: Paths) -> None:
    modes = [p.stat().st_mode & 0o777 for p in (paths.exit_program, paths.exit_program.parent)]
    assert modes == [0o700, 0o700]


def test_the_same_version_does_not_write_it_again(paths: Paths) -> None:
    before = paths.exit_program.stat().st_ino
    install_exit_program(paths, Path("/other/python"))
    assert paths.exit_program.stat().st_ino == before
    assert (paths.root / "libexec" / "interpreter").read_text() == "/other/python\n"


def test_a_base_interpreter_that_no_first_line_can_name_is_an_error(paths: Paths) -> None:
    with pytest.raises(HostError, match="too long"):
        install_exit_program(paths, base=Path("/" + "x" * 130))


def test_it_imports_next_to_nothing(paths: Paths, tmp_path: Path) -> None:
    probe = (
        "import sys; sys.argv = ['exited']; before = set(sys.modules)\n"
        f"exec(compile(open({str(paths.exit_program)!r}).read(), 'exited', 'exec'), {{'__name__': 'probe'}})\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-IS", "-c", probe], capture_output=True, text=True, check=True)
    costly = {"socket", "re", "enum", "typing", "selectors", "collections", "functools"}
    assert "'_socket'" in done.stdout
    assert not [name for name in costly if f"'{name}'" in done.stdout]
