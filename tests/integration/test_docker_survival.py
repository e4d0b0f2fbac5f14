"""What a docker user sees of containers that went on while the service was dead."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from tests.support.docker import Docker
from tests.support.service import Service


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_end_while_the_service_is_dead_is_told_once_with_its_code_and_output(
    fresh_service: Service, docker_for: Callable[[Service], Docker]
) -> None:
    docker = docker_for(fresh_service)
    script = "echo before; while [ ! -e /go ]; do sleep 0.1; done; echo after; exit 7"
    docker.ok("run", "-d", "--name", "survivor", "--network", "none", "busybox", "sh", "-c", script)
    docker.ok("run", "-d", "--rm", "--name", "vanishing", "--network", "none", "busybox", "sleep", "1")
    pid = int(docker.ok("inspect", "-f", "{{.State.Pid}}", "survivor"))
    begin = time.time()
    fresh_service.kill()
    with open(f"/proc/{pid}/root/go", "x"):
        pass
    until(lambda: not _alive(pid))
    time.sleep(2)
    fresh_service.start()
    state = json.loads(docker.ok("inspect", "-f", "{{json .State}}", "survivor"))
    assert (state["Status"], state["ExitCode"]) == ("exited", 7)
    assert docker.ok("logs", "survivor").split() == ["before", "after"]
    assert docker.ok("wait", "survivor") == "7"
    assert docker.ok("ps", "-a", "--format", "{{.Names}}") == "survivor"
    told = docker.ok(
        "events", "--since", f"{begin - 60:.6f}", "--until", f"{time.time() + 0.5:.6f}", "--filter", "event=die",
        "--format", "{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}",
    )  # fmt: skip
    assert sorted(told.splitlines()) == ["survivor 7", "vanishing 0"]


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_one_that_runs_on_is_attached_executed_in_and_stopped_by_the_next_service(
    fresh_service: Service, docker_for: Callable[[Service], Docker]
) -> None:
    docker = docker_for(fresh_service)
    docker.ok("run", "-d", "-i", "--name", "runner", "--network", "none", "busybox", "cat")
    started = docker.ok("inspect", "-f", "{{.State.StartedAt}} {{.State.Pid}}", "runner")
    fresh_service.kill()
    fresh_service.start()
    assert docker.ok("inspect", "-f", "{{.State.StartedAt}} {{.State.Pid}}", "runner") == started
    assert docker.ok("exec", "runner", "echo", "hi") == "hi"
    following = docker.start("logs", "-f", "runner")
    assert docker.ok("stop", "-t", "0", "runner") == "runner"
    assert following.wait(20) == 0
    following.communicate()
    assert docker.ok("inspect", "-f", "{{.State.ExitCode}}", "runner") == "137"
