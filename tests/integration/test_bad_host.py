"""A host that lacks a program, or room on its disk, is told by name, and nothing half-made stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apiserver.config.host.programs import which
from tests.integration.conftest import load_busybox
from tests.support.docker import Docker
from tests.support.image_archive import Entry, busybox_image, docker_archive
from tests.support.outside import alive, until
from tests.support.service import Service

RUN = ("run", "--rm", "--network", "none", "busybox")
MEBI = 1 << 20


def without(*programs: str) -> tuple[str, ...]:
    """A wrapper in which programs are there and cannot be executed, in its mount namespace alone."""
    found = [str(path) for program in programs if (path := which(program))]
    assert len(found) == len(programs), "a program that is to be hidden is not there at all"
    masks = " && ".join(f"mount --bind /dev/null {os.path.realpath(path)}" for path in found)
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", f'{masks} && exec "$@"', "sh")


def message(answer: bytes) -> str:
    said: str = json.loads(answer)["message"]
    return said


def nothing_half_made(service: Service) -> None:
    assert service.containers() == []
    assert list((service.root / "tmp").iterdir()) == []
    assert json.loads(service.request("GET", "/volumes")[1])["Volumes"] == []
    assert list((service.root / "containers").iterdir()) == []
    assert list((service.runroot / "runs").iterdir()) == []


def test_without_skopeo_a_load_and_an_import_are_500_and_name_it(make_service: Callable[..., Service]) -> None:
    service = make_service("--idle-timeout", "0", wrapper=without("skopeo"))
    service.start()
    archive = docker_archive(busybox_image("busybox:latest"))
    for path in ("/images/load", "/images/create?fromSrc=-&repo=x"):
        status, answer = service.request("POST", path, archive)
        assert status == 500
        assert "skopeo" in message(answer)
        assert "apiserver check" in message(answer)
    assert json.loads(service.request("GET", "/images/json?all=1")[1]) == []
    nothing_half_made(service)


@pytest.mark.parametrize("programs", [("netavark",), ("conmon",), ("crun", "runc")])
def test_without_what_runs_containers_a_start_is_500_and_names_it(
    make_service: Callable[..., Service], docker_for: Callable[[Service], Docker], programs: tuple[str, ...]
) -> None:
    """A container can be made and removed; with the program back, one of the same name runs."""
    there = tuple(program for program in programs if which(program))
    service = make_service("--idle-timeout", "0", wrapper=without(*there))
    service.start()
    load_busybox(service)
    docker = docker_for(service)
    said = docker("run", "--name", "box", "busybox", "true")
    assert said.code == 125
    assert any(program in said.stderr for program in programs)
    assert "apiserver check" in said.stderr
    docker("rm", "box")
    nothing_half_made(service)


def test_without_netavark_a_container_with_no_network_runs(
    make_service: Callable[..., Service], docker_for: Callable[[Service], Docker]
) -> None:
    service = make_service("--idle-timeout", "0", wrapper=without("netavark"))
    service.start()
    load_busybox(service)
    assert docker_for(service).ok(*RUN, "echo", "fine") == "fine"


@pytest.fixture
def narrow(make_service: Callable[..., Service]) -> Iterator[Service]:
    """A service whose root is on a file system of 120 MB, with busybox."""
    service = make_service("--idle-timeout", "0")
    for folder, size in ((service.root, "120m"), (service.runroot, "16m")):
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True)
    try:
        service.start()
        load_busybox(service)
        yield service
        service.remove_containers()
        assert service.terminate() == 0
    finally:
        service.discard()


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as out:
        for size in (MEBI, 4096, 1):
            try:
                while out.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return file


def test_a_load_that_fills_the_disk_leaves_nothing(narrow: Service) -> None:
    before = narrow.request("GET", "/images/json?all=1")
    image = busybox_image("big:latest", more=[Entry("big", os.urandom(90 * MEBI))])
    status, answer = narrow.request("POST", "/images/load", docker_archive(image))
    assert status == 500
    assert "no space left on device" in message(answer)
    assert narrow.request("GET", "/images/json?all=1") == before
    nothing_half_made(narrow)
    image = busybox_image("big:latest", more=[Entry("big", os.urandom(MEBI))])
    assert narrow.request("POST", "/images/load", docker_archive(image))[0] == 200


@pytest.mark.parametrize("where", ["root", "runroot"])
def test_on_a_full_disk_what_cannot_be_done_is_said_and_undone(
    narrow: Service, docker_for: Callable[[Service], Docker], where: str
) -> None:
    docker = docker_for(narrow)
    body: dict[str, Any] = {"Image": "busybox", "Cmd": ["echo", "fine"], "HostConfig": {"NetworkMode": "none"}}
    filler = fill(narrow.root if where == "root" else narrow.runroot)
    said = []
    for number in range(200):  # the state file may have some room of its own
        status, answer = narrow.request("POST", f"/containers/create?name=n{number}", body | {"Volumes": {"/v": {}}})
        if status == 201:
            status, answer = narrow.request("POST", f"/containers/n{number}/start")
            if status == 204:
                assert narrow.request("POST", f"/containers/n{number}/wait")[0] == 200
        if status >= 400:
            assert status == 500, answer
            said.append(message(answer))
        if len(said) == 3:
            break
    assert said
    assert all("no space left on device" in each.lower() or "disk is full" in each for each in said), said
    assert narrow.running
    assert narrow.request("GET", "/containers/json?all=1")[0] == 200
    filler.unlink()
    for container in narrow.containers():
        assert narrow.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")[0] == 204
    nothing_half_made(narrow)
    assert docker.ok("run", "--rm", "--name", "n0", "--network", "none", "busybox", "echo", "fine") == "fine"
    assert docker.ok("run", "--rm", "--name", "n0", "busybox", "echo", "fine") == "fine"


@contextmanager
def without_room(folder: Path, kind: str) -> Iterator[None]:
    """No block, or no file, is left on the file system that is mounted at a folder."""
    if kind == "blocks":
        filler = fill(folder)
        try:
            yield
        finally:
            filler.unlink()
        return
    state = os.statvfs(folder)
    mount = ("mount", "-o")
    subprocess.run([*mount, f"remount,nr_inodes={state.f_files - state.f_ffree}", str(folder)], check=True)
    try:
        assert os.statvfs(folder).f_ffree == 0
        yield
    finally:
        subprocess.run([*mount, f"remount,nr_inodes={state.f_files}", str(folder)], check=True)


def code_of(service: Service, name: str) -> int:
    state = json.loads(service.request("GET", f"/containers/{name}/json")[1])["State"]
    assert state["Status"] == "exited"
    code: int = state["ExitCode"]
    return code


@pytest.mark.parametrize("kind", ["blocks", "files"])
def test_how_a_process_ended_is_known_where_no_room_is_left_below_the_run_root(
    narrow: Service, docker_for: Callable[[Service], Docker], kind: str
) -> None:
    docker = docker_for(narrow)
    deaf = "trap '' TERM; trap 'touch /go' USR1; while :; do sleep 0.1; done"
    itself = "trap 'exit 7' USR1; while :; do sleep 0.1; done"
    for name, script in (("deaf", deaf), ("itself", itself), ("alone", itself)):
        docker.ok("run", "-d", "--name", name, "--network", "none", "busybox", "sh", "-c", script)
    waits = "echo waits; while [ ! -e /go ]; do sleep 0.1; done; exit 5"
    session = docker.start("exec", "deaf", "sh", "-c", waits)
    assert session.stdout is not None
    assert session.stdout.readline() == b"waits\n"
    with without_room(narrow.runroot, kind):
        failures = narrow.log().count("Traceback")
        docker.ok("kill", "--signal", "USR1", "deaf")
        assert session.communicate(timeout=20) == (b"", b"")
        assert session.returncode == 5
        docker.ok("stop", "-t", "1", "deaf")
        assert code_of(narrow, "deaf") == 137
        docker.ok("kill", "--signal", "USR1", "itself")
        assert docker.ok("wait", "itself") == "7"
        assert code_of(narrow, "itself") == 7
        assert narrow.log().count("Traceback") == failures, narrow.log_tail(100)
        first = int(docker.ok("inspect", "-f", "{{.State.Pid}}", "alone"))
        (monitor,) = [int(file.read_text()) for file in narrow.runroot.glob("runs/*/*/conmon.pid")]
        narrow.kill()
        os.kill(first, signal.SIGKILL)
        until(lambda: not alive(monitor), "conmon has gone")
    narrow.start()
    assert code_of(narrow, "alone") == 137


@pytest.mark.parametrize("kind", ["blocks", "files"])
def test_where_the_run_root_is_full_a_start_and_an_exec_say_which_place_that_is(
    narrow: Service, docker_for: Callable[[Service], Docker], kind: str
) -> None:
    docker = docker_for(narrow)
    docker.ok("run", "-d", "--name", "there", "--network", "none", "busybox", "sleep", "1000")
    docker.ok("create", "--name", "new", "--network", "none", "busybox", "true")
    with without_room(narrow.runroot, kind):
        failures = narrow.log().count("Traceback")
        for said in (docker("start", "new"), docker("exec", "there", "true")):
            assert said.code != 0
            assert f"{narrow.runroot}/runs/" in said.stderr
            assert "No space left on device" in said.stderr
        assert narrow.log().count("Traceback") == failures, narrow.log_tail(100)
    docker.ok("start", "-a", "new")
    docker.ok("exec", "there", "true")


def test_a_start_on_a_full_disk_stops_and_removes_after_a_kill_and_else_says_what_to_do(
    narrow: Service, docker_for: Callable[[Service], Docker]
) -> None:
    docker = docker_for(narrow)
    for name in ("one", "two"):
        docker.ok("run", "-d", "--name", name, "--network", "none", "--init", "busybox", "sleep", "1000")
    narrow.kill()
    filler = fill(narrow.root)
    narrow.start()
    docker.ok("stop", "one")
    docker.ok("rm", "one")

    assert narrow.terminate() == 0
    filler.unlink()
    filler = fill(narrow.root)
    before = len(narrow.log().splitlines())
    narrow.start(wait=False)
    assert narrow.status() == 1
    (said,) = [line for line in narrow.log().splitlines()[before:] if "cannot start" in line]
    assert "its disk is full: make a megabyte of room and start again" in said
    assert "Traceback" not in "".join(narrow.log().splitlines()[before:])

    os.truncate(filler, filler.stat().st_size - MEBI)
    narrow.start()
    docker.ok("rm", "-f", "two")
    filler.unlink()


def test_containers_can_be_stopped_and_removed_while_one_of_them_fills_the_disk(
    narrow: Service, docker_for: Callable[[Service], Docker]
) -> None:
    """Whatever room is set free is taken at once; what would make something is refused meanwhile."""
    docker = docker_for(narrow)
    greedy = "while :; do cat /dev/zero >>/filler 2>/dev/null; done"
    polite = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
    for number in range(9):
        docker.ok("run", "-d", "--name", f"box{number}", "--network", "none", "busybox", "sh", "-c", polite)
    docker.ok("run", "-d", "--name", "greedy", "--network", "none", "busybox", "sh", "-c", greedy)
    deadline = time.monotonic() + 30
    while (room := os.statvfs(narrow.root)).f_bfree * room.f_frsize > 65536:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    status, answer = narrow.request("POST", "/containers/create?name=more", {"Image": "busybox"})
    said = "state cannot be written below the root directory: database or disk is full"
    assert (status, message(answer)) == (500, said)
    failures = narrow.log().count("Traceback")
    for number in range(9):
        docker.ok(*(("stop",), ("kill",), ("rm", "-f"))[number % 3], f"box{number}")
    for number in range(9):
        if number % 3 != 2:
            docker.ok("rm", f"box{number}")
    docker.ok("rm", "-f", "greedy")
    assert narrow.containers() == []
    assert narrow.log().count("Traceback") == failures, narrow.log_tail(100)
    assert docker.ok(*RUN, "echo", "fine") == "fine"
