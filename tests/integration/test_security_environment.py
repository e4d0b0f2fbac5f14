"""What the service knows of its own surroundings stays with it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import load_busybox
from tests.support.docker import Docker
from tests.support.service import Service, UnixConnection

SECRET = "hunter2-never-seen"
ENVIRONMENT = {
    "DATABASE_PASSWORD": SECRET,
    "HTTP_PROXY": f"http://user:{SECRET}@proxy.example:1",
    "https_proxy": f"http://user:{SECRET}@proxy.example:1",
    "REGISTRY_AUTH_FILE": f"/nowhere/{SECRET}",
    "LD_LIBRARY_PATH": f"/nowhere/{SECRET}",
    "NOTIFY_SOCKET": f"@{SECRET}",
    "INVOCATION_ID": SECRET,
}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One whose environment holds secrets."""
    own = Service("--idle-timeout", "0", "--log-level", "trace")
    own.start(environment=ENVIRONMENT)
    load_busybox(own)
    yield own
    own.close()


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def of_the_service(service: Service) -> list[Path]:
    """/proc/PID of each process that was started with a path of this service: conmon, runtimes, helpers."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(service.folder).encode() in (process / "cmdline").read_bytes():
                found.append(process)
        except OSError:
            continue
    return [process for process in found if int(process.name) != service.pid]


def test_the_service_has_the_secret(service: Service) -> None:
    """Else the other tests would show nothing."""
    assert SECRET.encode() in Path(f"/proc/{service.pid}/environ").read_bytes()


def test_run_and_exec_see_nothing_of_it(docker: Docker) -> None:
    container = docker.ok("run", "-d", "--network", "none", "-e", "DATABASE_PASSWORD", "busybox", "sleep", "100")
    seen = docker.ok("exec", container, "sh", "-c", "env; cat /proc/*/environ | tr '\\0' '\\n'; cat /proc/*/cmdline")
    assert SECRET not in seen
    assert "PROXY" not in seen.upper()
    names = {line.partition("=")[0] for line in docker.ok("exec", container, "env").splitlines()}
    assert names == {"PATH", "HOSTNAME", "HOME"}


def test_one_request_has_nothing_of_anothers(docker: Docker) -> None:
    container = docker.ok("run", "-d", "--network", "none", "-e", "ONE=1", "busybox", "sleep", "100")
    assert "TWO=2" in docker.ok("exec", "-e", "TWO=2", container, "env")
    assert "TWO" not in docker.ok("exec", container, "env")
    assert "ONE" not in docker.ok("run", "--rm", "--network", "none", "busybox", "env")


def test_conmon_and_what_it_starts_at_the_end_know_none_of_it(service: Service, docker: Docker) -> None:
    docker.ok("run", "-d", "--network", "none", "-e", "TOKEN=of-the-client-0815", "busybox", "sleep", "100")
    helpers = of_the_service(service)
    assert helpers
    for process in helpers:
        assert SECRET.encode() not in (process / "environ").read_bytes()
        words = (process / "cmdline").read_bytes()
        assert SECRET.encode() not in words
        assert b"of-the-client-0815" not in words  # everybody on the machine reads an argv


def test_the_exit_program_gets_none_of_it(service: Service, docker: Docker) -> None:
    """It is replaced by one that writes down what it gets."""
    program = service.root / "libexec" / "exited"
    ours, seen = program.read_bytes(), service.folder / "seen"
    said = "(env; cat /proc/self/cmdline; ls -l /proc/self/fd)"
    program.write_text(f"#!/bin/sh\n{said} > {seen}.part; mv {seen}.part {seen}\n")
    try:
        docker.ok("run", "-d", "--network", "none", "busybox", "sleep", "1")
        service.kill()  # a service that sees the end ends the monitor, and this with it
        deadline = time.monotonic() + 20
        while not seen.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "PATH=" in seen.read_text()
        assert SECRET not in seen.read_text()
    finally:
        program.write_bytes(ours)
        service.start()


def test_nothing_of_it_is_in_files_or_logs(service: Service, docker: Docker) -> None:
    docker.ok("run", "-d", "--network", "none", "busybox", "sleep", "100")
    found = [
        path
        for folder in (service.root, service.runroot)
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and path.stat().st_size < 1 << 20
        and SECRET.encode() in path.read_bytes()
    ]
    assert found == []
    assert SECRET not in service.log()


def test_credentials_of_a_request_are_not_in_the_log(service: Service) -> None:
    connection = UnixConnection(service.socket)
    headers = {"X-Registry-Auth": "eyJ-registry-quetzal", "Authorization": "Bearer bearer-quetzal"}
    connection.request("POST", "/images/create?fromImage=nope", headers=headers)
    connection.getresponse().read()
    connection.close()
    service.request("POST", "/auth", {"username": "u", "password": "password-quetzal"})
    service.request("POST", "/containers/create", {"Image": "nope", "Cmd": ["x"], "Env": ["A=visible"]})
    log = service.log()
    assert re.search("visible|/containers/create", log)
    assert "quetzal" not in log
