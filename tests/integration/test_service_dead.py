"""Containers run on, print on and are reached while the service is dead, and are the next service's."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker import Docker
from tests.support.outside import Outside, alive, answer_at, dead, until
from tests.support.service import Service

TICKS = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"
ANSWERS = "while :; do echo here | nc -l -p 80; done"


@pytest.fixture(autouse=True)
def no_containers_left(service: Service) -> Iterator[None]:
    """A test that fails is not to make the next fail."""
    yield
    service.remove_containers()


def test_running_containers_do_not_notice_that_the_service_dies(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    docker.ok("run", "-d", "--name", "printing", "--network", "none", "busybox", "sh", "-c", TICKS)
    docker.ok("run", "-d", "--name", "published", "-p", "127.0.0.1::80", "busybox", "sh", "-c", ANSWERS)
    port = int(docker.ok("port", "published", "80").rpartition(":")[2])
    printing, published = (outside.container(name) for name in ("printing", "published"))
    log = service.root / "containers" / printing["id"] / "log" / "ctr.log"
    with dead(service):
        until(lambda: log.stat().st_size > 0, "it prints")
        printed = log.stat().st_size
        until(lambda: log.stat().st_size > printed, "it prints on")
        assert answer_at(port) == b"here\n"
        assert {outside.container(name)["state"] for name in ("printing", "published")} == {"running"}
        assert all(alive(container["run"]["pid"]) for container in (printing, published))
    assert outside.container("printing") == printing
    assert outside.container("published") == published
    assert answer_at(port) == b"here\n"
    numbers = docker.ok("logs", "printing").split()
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert docker.ok("stop", "-t", "0", "printing", "published").split() == ["printing", "published"]
    assert outside.things(printing["id"]) | outside.things(published["id"]) == set()
    docker.ok("rm", "printing", "published")


def test_a_killed_service_leaves_neither_its_lock_nor_its_socket_to_anybody(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    docker.ok("run", "-d", "--name", "heir", "busybox", "sleep", "60")
    heir = outside.container("heir")
    conmon = outside.conmon(heir["id"])
    with dead(service):
        for pid in (heir["run"]["pid"], conmon):
            held = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
            assert not {name for name in held if name.startswith((str(service.root / "lock"), str(service.socket)))}
        with (service.root / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    docker.ok("rm", "-f", "heir")


def test_the_next_service_attaches_executes_follows_and_waits(service: Service, docker: Docker) -> None:
    docker.ok("run", "-d", "-i", "--name", "echoing", "--network", "none", "busybox", "cat")
    with dead(service):
        pass
    assert docker.ok("exec", "echoing", "cat", "/etc/hostname") == docker.ok(
        "inspect", "-f", "{{.Config.Hostname}}", "echoing"
    )
    waiting, following = docker.start("wait", "echoing"), docker.start("logs", "-f", "echoing")
    attached = docker.start("attach", "echoing")
    assert attached.stdin is not None
    assert attached.stdout is not None
    assert following.stdout is not None
    attached.stdin.write(b"word\n")
    attached.stdin.flush()
    assert attached.stdout.readline() == b"word\n"
    assert following.stdout.readline() == b"word\n"
    docker.ok("kill", "-s", "TERM", "echoing")
    docker.ok("kill", "echoing")
    assert waiting.communicate(timeout=20)[0] == b"137\n"
    assert following.wait(20) == 0
    attached.communicate(timeout=20)
    following.communicate()
    docker.ok("rm", "echoing")


def test_an_exec_session_runs_on_and_its_code_is_known_to_the_next_service(service: Service, docker: Docker) -> None:
    docker.ok("run", "-d", "--name", "host", "--network", "none", "busybox", "sleep", "60")
    script = "while [ ! -e /go ]; do sleep 0.05; done; exit 9"
    sessions = [exec_in(service, "host", "sh", "-c", script) for _ in range(2)]
    root = Path(f"/proc/{Outside(service).container('host')['run']['pid']}/root")
    processes = [inspected(service, session)["Pid"] for session in sessions]
    with dead(service):
        assert all(alive(pid) for pid in processes)
        os.kill(processes[0], signal.SIGTERM)
        until(lambda: not alive(processes[0]), "the first session ends")
    # Sessions are looked at beside the first requests, not before: a start is to be quick.
    until(lambda: not inspected(service, sessions[0])["Running"], "the end of the first is known")
    first, second = (inspected(service, session) for session in sessions)
    assert (first["Running"], first["ExitCode"]) == (False, 143)
    assert (second["Running"], second["ExitCode"], second["Pid"]) == (True, None, processes[1])
    (root / "go").touch()
    until(lambda: not inspected(service, sessions[1])["Running"], "the second session ends")
    assert inspected(service, sessions[1])["ExitCode"] == 9
    docker.ok("rm", "-f", "host")


def exec_in(service: Service, container: str, *command: str) -> str:
    """Start an exec session that nobody is attached to; its id."""
    status, body = service.request("POST", f"/containers/{container}/exec", {"Cmd": list(command)})
    assert status == 201, body
    session: str = json.loads(body)["Id"]
    status, body = service.request("POST", f"/exec/{session}/start", {"Detach": True})
    assert status == 200, body
    return session


def inspected(service: Service, session: str) -> dict[str, Any]:
    status, body = service.request("GET", f"/exec/{session}/json")
    assert status == 200, body
    answer: dict[str, Any] = json.loads(body)
    return answer
