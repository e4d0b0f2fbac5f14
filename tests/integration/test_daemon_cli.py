"""The console command's small subcommands, and TLS, as a user meets them."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apiserver import __version__
from tests.support.service import PROGRAM


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_version_is_one_line() -> None:
    done = cli("version")
    assert (done.returncode, done.stdout) == (0, f"apiserver {__version__}\n")


def test_an_unknown_command_is_refused_by_naming_the_known() -> None:
    done = cli("sreve")
    assert done.returncode == 2
    # Python 3.11 quotes the known ones, 3.13 does not
    assert re.search("choose from .*serve.*check", done.stderr)


def test_help_names_every_command() -> None:
    said = cli("--help").stdout
    assert all(f"  {name} " in said for name in ("serve", "check", "routes", "reconcile", "version"))


def test_routes_says_method_path_and_group() -> None:
    lines = cli("routes").stdout.splitlines()
    assert any(line.split() == ["GET", "/_ping", "ping"] for line in lines)
    assert all(len(line.split()) == 3 for line in lines)


def test_a_reader_of_routes_that_has_seen_enough_causes_no_traceback() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PROGRAM} routes | head -n 1"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "command", ["version", "serve --idle-timeout 0.2 --root root --runroot run --listen unix:$PWD/s"]
)
def test_what_is_closed_as_it_is_started_is_not_missed(tmp_path: Path, command: str, closed: str) -> None:
    script = f"{PROGRAM} {command} {closed}"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_no_file_of_the_service_gets_the_number_of_standard_output(tmp_path: Path) -> None:
    script = f"exec {PROGRAM} serve --root root --runroot run --listen unix:$PWD/s --idle-timeout 0 <&- >&- 2>&-"
    with subprocess.Popen(["sh", "-c", script], cwd=tmp_path) as service:
        try:
            deadline = time.monotonic() + 30
            while not (tmp_path / "run/listeners").exists():
                assert service.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert {os.readlink(f"/proc/{service.pid}/fd/{number}") for number in range(3)} == {os.devnull}
        finally:
            service.terminate()
        assert service.wait(30) == 0


def test_reconcile_of_an_empty_root_does_nothing_and_ends_with_0(tmp_path: Path) -> None:
    done = cli("reconcile", "--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run/listeners").exists()


@pytest.mark.parametrize("option", ["--root", "--runroot"])
@pytest.mark.parametrize("command", ["serve", "reconcile"])
def test_a_root_that_is_somebody_elses_is_one_line_in_the_log_and_not_touched(
    tmp_path: Path, command: str, option: str
) -> None:
    taken = tmp_path / "srv"
    (taken / "www").mkdir(parents=True)
    taken.chmod(0o755)
    (taken / "www").chmod(0o755)
    places = {"--root": tmp_path / "root", "--runroot": tmp_path / "run", option: taken}
    done = cli(command, *(str(word) for place in places.items() for word in place))
    assert done.returncode == 1
    (said,) = (line for line in done.stderr.splitlines() if "cannot" in line)
    assert f"{option} {taken} has files of others in it ('www')" in said
    assert "Traceback" not in done.stderr
    assert {path.stat().st_mode & 0o777 for path in (taken, taken / "www")} == {0o755}
    assert [path.name for path in taken.iterdir()] == ["www"]


def test_tls_where_openssl_is_not_installed_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    without = "import sys; sys.modules.update(OpenSSL=None, cryptography=None); from apiserver.cli import main; main()"
    places = ["--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run")]
    command = [sys.executable, "-c", without, "serve", *places, "--listen", "ssl:0:privateKey=/nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    (said,) = (line for line in done.stderr.splitlines() if "cannot start" in line)
    assert "apiserver[tls]" in said
    assert "Traceback" not in done.stderr


def test_an_ssl_endpoint_answers_over_tls(tmp_path: Path) -> None:
    request = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    files = ["-keyout", str(tmp_path / "k"), "-out", str(tmp_path / "c")]
    subprocess.run([*request.split(), *files], check=True, capture_output=True)
    places = ["--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run")]
    listen = ["--listen", f"ssl:0:privateKey={tmp_path / 'k'}:certKey={tmp_path / 'c'}"]
    with subprocess.Popen([PROGRAM, "serve", *places, *listen], stderr=subprocess.PIPE, text=True) as service:
        try:
            assert service.stderr is not None
            port = next(line for line in service.stderr if "listening" in line).rpartition(":")[2]
            context = ssl.create_default_context(cafile=str(tmp_path / "c"))
            with (
                socket.create_connection(("127.0.0.1", int(port)), 30) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as client,
            ):
                client.sendall(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert client.recv(12) == b"HTTP/1.1 200"
        finally:
            service.terminate()
        assert service.wait(30) == 0
