"""`docker top` and `podman --remote top`, on the real service."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apiserver.config.host import read_host
from tests.support.docker import Docker
from tests.support.podman import Podman
from tests.support.service import Service

LIBPOD = "/v5.0.0/libpod/containers"
TREE = "sleep 1001 & sleep 1002 & echo ready; wait"
RUNTIMES = [name for name in ("crun", "runc") if shutil.which(name) and name not in read_host().unusable_runtimes]


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def run(docker: Docker, *options: str, script: str = TREE, name: str = "box") -> None:
    docker.ok("run", "-d", "--name", name, "--network", "none", *options, "busybox", "sh", "-c", script)
    limit = time.monotonic() + 20
    while "ready" not in docker.ok("logs", name):
        assert time.monotonic() < limit
        time.sleep(0.05)


def shown(service: Service, path: str) -> dict[str, Any]:
    status, body = service.request("GET", path)
    assert status == 200, body
    value: dict[str, Any] = json.loads(body)
    return value


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_children_and_execs_are_shown_and_nobody_elses(docker: Docker, service: Service, runtime: str) -> None:
    run(docker, "--runtime", runtime)
    run(docker, "--runtime", runtime, name="other", script="sleep 2001 & echo ready; wait")
    docker.ok("exec", "-d", "box", "sleep", "1003")
    top = shown(service, "/containers/box/top")
    assert top["Titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    commands = {row[-1] for row in top["Processes"]}
    assert commands == {f"sh -c {TREE}", "sleep 1001", "sleep 1002", "sleep 1003"}
    pids = {row[-1]: row[1] for row in top["Processes"]}
    for command, pid in pids.items():
        assert Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip() == command


def test_the_docker_command_shows_columns_by_name_and_adds_no_pid(docker: Docker) -> None:
    run(docker)
    lines = docker.ok("top", "box").splitlines()
    assert (lines[0].split()[0], len(lines)) == ("UID", 4)
    assert docker.ok("top", "box", "-o", "pid,comm").splitlines()[0].split() == ["PID", "COMMAND"]
    assert sorted(docker.ok("top", "box", "-o", "comm").split()) == ["COMMAND", "sh", "sleep", "sleep"]
    assert len(docker.ok("top", "box", "aux").splitlines()) == 4


@pytest.mark.parametrize("arguments", [("axe",), ("-o", "environ"), ("-C", "e"), ("-ef", "-o", "pid,args")])
def test_what_could_show_an_environment_is_refused(docker: Docker, arguments: tuple[str, ...]) -> None:
    run(docker, "--env", "SECRET=x1y2")
    said = docker("top", "box", *arguments)
    assert said.code == 1
    assert "ps_args" in said.stderr
    assert "x1y2" not in said.stdout + said.stderr


def test_the_podman_command_shows_its_columns_with_the_containers_own_pids(docker: Docker, podman: Podman) -> None:
    run(docker)
    lines = podman.ok("top", "box").splitlines()
    assert lines[0].split() == ["USER", "PID", "PPID", "%CPU", "ELAPSED", "TTY", "TIME", "COMMAND"]
    first = next(line.split() for line in lines[1:] if line.split()[1] == "1")
    assert (first[0], first[2], first[5]) == ("root", "0", "?")
    few = [line.split() for line in podman.ok("top", "box", "pid", "comm").splitlines()]
    assert few[:2] == [["PID", "COMMAND"], ["1", "sh"]]
    assert sorted(row[1] for row in few[2:]) == ["sleep", "sleep"]
    assert podman.ok("top", "box", "-eo", "pid,comm").splitlines()[0].split() == ["PID", "COMMAND"]
    said = podman("top", "box", "nonsense")
    assert said.code != 0
    assert "ps_args" in said.stderr


def test_an_exec_has_a_pid_of_the_container_and_one_of_the_host(docker: Docker, service: Service) -> None:
    run(docker)
    docker.ok("exec", "-d", "-u", "1234", "box", "sleep", "1003")
    wanted = "&".join(f"ps_args={name}" for name in ("pid", "hpid", "ppid", "user", "args", "capeff", "seccomp"))
    rows = {row[4]: row for row in shown(service, f"{LIBPOD}/box/top?{wanted}")["Processes"]}
    executed = rows["sleep 1003"]
    assert int(executed[0]) < 50
    assert Path(f"/proc/{executed[1]}/cmdline").read_bytes() == b"sleep\x001003\0"
    assert (executed[2], executed[3], executed[5]) == ("0", "1234", "none")
    assert rows["sleep 1001"][2] == "1"


def test_in_the_pid_namespace_of_the_host_only_the_containers_own_are_shown(docker: Docker, service: Service) -> None:
    run(docker, "--pid", "host")
    top = shown(service, f"{LIBPOD}/box/top?ps_args=pid&ps_args=hpid&ps_args=args")["Processes"]
    assert {row[2] for row in top} == {f"sh -c {TREE}", "sleep 1001", "sleep 1002"}
    assert all(row[0] == row[1] for row in top)
    assert len(shown(service, "/containers/box/top")["Processes"]) == 3


def test_no_program_and_no_file_but_regular_ones_of_the_container_are_looked_at(
    docker: Docker, podman: Podman, service: Service
) -> None:
    trap = "printf '#!/bin/sh\\ntouch /ran\\n' >/bin/ps; chmod 755 /bin/ps; rm -f /etc/passwd; mkfifo /etc/passwd; "
    run(docker, script="mkdir -p /etc; rm -f /bin/ps; " + trap + "ln -sf /proc/1/environ /etc/group; " + TREE)
    top = shown(service, f"{LIBPOD}/box/top?ps_args=user,group,args")["Processes"]
    assert {tuple(row[:2]) for row in top} == {("0", "0")}
    docker.ok("top", "box")
    podman.ok("top", "box")
    assert docker("exec", "box", "ls", "/ran").code != 0


def test_a_name_that_a_process_gives_itself_moves_no_other_column(docker: Docker, service: Service) -> None:
    run(docker, script="printf '1 1 root' >/proc/self/comm; " + TREE)
    top = shown(service, "/containers/box/top?ps_args=-o%20comm,pid")
    assert len(top["Processes"]) == 3
    rows = shown(service, f"{LIBPOD}/box/top?ps_args=comm&ps_args=pid")["Processes"]
    assert ["1 1 root", "1"] in rows


def test_a_stopped_one_is_refused_to_both(docker: Docker, service: Service) -> None:
    run(docker)
    docker.ok("kill", "box")
    docker.ok("wait", "box")
    said = docker("top", "box")
    assert (said.code, "is not running" in said.stderr) == (1, True)
    words = "top can only be used on running containers"
    for path in (f"{LIBPOD}/box/top", f"{LIBPOD}/box/top?stream=true"):
        status, body = service.request("GET", path)
        assert (status, json.loads(body)) == (500, {"cause": words, "message": words, "response": 500})
    assert "Traceback" not in service.log()


def test_a_stream_ends_with_the_container(docker: Docker, service: Service) -> None:
    run(docker, script="echo ready; sleep 1.5")
    status, body = service.request("GET", f"{LIBPOD}/box/top?stream=true&delay=1&ps_args=pid")
    assert status == 200
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[0]["Titles"] == ["PID"]
    assert 1 <= len(lines) <= 3
