"""`docker run` as its users type it: output, input, exit codes, what is left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest

from tests.support.docker import Docker
from tests.support.service import Service


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


@pytest.mark.parametrize("network", ["none", "host"])
def test_both_streams_come_apart_and_the_exit_code_is_the_containers(docker: Docker, network: str) -> None:
    said = docker("run", "--rm", "--network", network, "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (said.stdout, said.stderr, said.code) == ("out\n", "err\n", 3)
    assert docker.ok("ps", "-aq") == ""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("nonexistent-program",), 127),
        (("/etc",), 126),
        (("sh", "-c", "sh -c 'kill -9 $$'; exit $?"), 137),
        (("sh", "-c", "exit 125"), 125),
    ],
)
def test_exit_codes_of_what_cannot_run_and_of_what_is_killed(
    docker: Docker, command: tuple[str, ...], code: int
) -> None:
    assert docker("run", "--rm", "--network", "none", "busybox", *command).code == code


def test_what_the_runtime_says_is_said_once(docker: Docker) -> None:
    said = docker("run", "--rm", "--network", "none", "busybox", "/nope")
    assert said.code == 127
    before, _, words = said.stderr.partition("OCI runtime create failed: ")
    assert before.endswith("failed to create task for container: failed to create shim task: ")
    assert "executable file not found" not in words or "no such file or directory" not in words
    assert not words.startswith(("runc: ", "crun: "))


@pytest.mark.parametrize("target", ["/etc", "/tmp"])
def test_a_file_on_a_directory_is_told_of_as_docker_does(docker: Docker, target: str) -> None:
    said = docker("run", "--rm", "--network", "none", "-v", f"/etc/passwd:{target}", "busybox", "true")
    advice = "Are you trying to mount a directory onto a file (or vice-versa)?"
    assert (said.code, advice in said.stderr) == (125, True), said.stderr


def test_an_option_that_is_not_built_is_125_with_its_name_and_leaves_nothing(docker: Docker) -> None:
    said = docker("run", "--rm", "--network", "none", "--sysctl", "a=b", "busybox", "true")
    assert said.code == 125
    assert "--sysctl" in said.stderr
    assert docker.ok("ps", "-aq") == ""


def test_an_image_that_is_not_there_is_125(docker: Docker) -> None:
    assert docker("run", "--pull", "never", "nope", "true").code == 125


def test_all_of_standard_input_goes_through(docker: Docker) -> None:
    data = os.urandom(1 << 20) * 200
    done = docker.binary("run", "--rm", "-i", "--network", "none", "busybox", "sha256sum", input=data, timeout=100)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()
    done = docker.binary(
        "run", "--rm", "-i", "--network", "none", "busybox", "cat", input=data[: 20 << 20], timeout=100
    )
    assert done.stdout == data[: 20 << 20]


def test_one_in_the_background_is_listed_followed_stopped_and_removed(docker: Docker) -> None:
    container = docker.ok("run", "-d", "--name", "bg", "--network", "none", "busybox", "sh", "-c", "echo up; sleep 100")
    assert docker.ok("ps", "--format", "{{.Names}} {{.Status}}").startswith("bg Up ")
    assert docker.ok("logs", "bg") == "up"
    following = docker.start("logs", "-f", "bg")
    assert docker.ok("stop", "-t", "0", "bg") == "bg"
    assert following.communicate(timeout=20)[0] == b"up\n"
    state = docker.ok("inspect", "-f", "{{.Id}} {{.State.Status}} {{.State.ExitCode}}", "bg")
    assert state == f"{container} exited 137"
    assert docker.ok("ps", "-a", "--format", "{{.Status}}").startswith("Exited (137)")
    assert docker.ok("start", "bg") == "bg"
    assert "cannot remove container" in docker("rm", "bg").stderr
    assert docker.ok("rm", "-f", "bg") == "bg"
    assert docker("inspect", "bg").code == 1


def test_logs_have_times_ends_and_tails(docker: Docker) -> None:
    docker.ok("run", "--name", "ll", "--network", "none", "busybox", "sh", "-c", "echo 1; echo 2 >&2; echo 3")
    said = docker("logs", "ll")
    assert (said.stdout, said.stderr) == ("1\n3\n", "2\n")
    docker.ok("run", "--name", "lt", "--network", "none", "busybox", "sh", "-c", "echo 1; echo 2")
    assert docker.ok("logs", "--tail", "1", "lt") == "2"
    stamped = docker.ok("logs", "-t", "ll").splitlines()
    assert [line.split(" ")[1] for line in stamped] == ["1", "3"]
    assert all(line.split(" ")[0].endswith("Z") for line in stamped)
    assert docker.ok("logs", "--since", "1h", "ll").splitlines() == ["1", "3"]
    assert docker.ok("logs", "--until", "1h", "ll") == ""


def test_kill_restart_and_wait(docker: Docker) -> None:
    docker.ok("run", "-d", "--name", "kk", "--network", "none", "busybox", "sleep", "100")
    waiting = docker.start("wait", "kk")
    assert docker.ok("kill", "kk") == "kk"
    assert waiting.communicate(timeout=20)[0] == b"137\n"
    assert "is not running" in docker("kill", "kk").stderr
    assert docker.ok("restart", "-t", "0", "kk") == "kk"
    assert docker.ok("inspect", "-f", "{{.State.Running}}", "kk") == "true"


def test_a_name_that_is_taken_is_told(docker: Docker) -> None:
    docker.ok("create", "--name", "twice", "--network", "none", "busybox")
    said = docker("create", "--name", "twice", "--network", "none", "busybox")
    assert said.code == 1
    assert 'Conflict. The container name "/twice" is already in use by container' in said.stderr


def test_a_created_container_is_attached_before_it_starts(docker: Docker) -> None:
    docker.ok("create", "-i", "--name", "aa", "--network", "none", "busybox", "cat")
    assert docker.ok("start", "-ai", "aa", input="hello") == "hello"


def test_exec_has_output_input_and_a_code(docker: Docker) -> None:
    docker.ok("run", "-d", "--name", "ee", "--network", "none", "busybox", "sleep", "100")
    said = docker("exec", "-e", "A=b", "-w", "/tmp", "ee", "sh", "-c", "echo $A $PWD; echo err >&2; exit 4")
    assert (said.stdout, said.stderr, said.code) == ("b /tmp\n", "err\n", 4)
    assert docker.ok("exec", "-i", "ee", "cat", input="in") == "in"
    assert docker.ok("exec", "-u", "1:1", "ee", "id", "-u") == "1"
    assert docker("exec", "ee", "nonexistent-program").code == 127
    docker.ok("exec", "-d", "ee", "touch", "/made")
    assert docker.ok(
        "exec", "ee", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do test -e /made && break; sleep 1; done; ls /made"
    )
