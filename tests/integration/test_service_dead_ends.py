"""Containers end while the service is dead: all is given back before anybody starts it again, and told once after."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.outside import Outside, alive, dead, rules_of, until
from tests.support.service import Service


@pytest.fixture(autouse=True)
def no_containers_left(service: Service) -> Iterator[None]:
    """A test that fails is not to make the next fail."""
    yield
    service.remove_containers()


def run(docker: Docker, name: str, command: str, *options: str) -> None:
    """One that ends when `go` lets it."""
    script = f"while [ ! -e /go ]; do sleep 0.05; done; {command}"
    docker.ok("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script)


def go(container: dict[str, object]) -> None:
    run = container["run"]
    assert isinstance(run, dict)
    Path(f"/proc/{run['pid']}/root/go").touch()


def test_an_end_is_recorded_and_cleaned_up_by_the_exit_program_alone(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    run(docker, "ending", "echo last; exit 7", "-p", "127.0.0.1::80")
    before = outside.container("ending")
    address = before["run"]["endpoints"][0]["address"]
    kinds = {thing.split()[0] for thing in outside.things(before["id"])}
    assert kinds == {"process", "mount", "cgroup", "record", "namespace"}
    assert rules_of(address)
    begin = time.time()
    with dead(service):
        go(before)
        until(lambda: outside.container("ending")["state"] == "exited", "its end is recorded")
        gone = time.time()
        recorded = outside.container("ending")
        assert recorded["run"]["exit_code"] == 7
        assert (recorded["run"]["plan"], recorded["run"]["network"], recorded["run"]["endpoints"]) == ({}, None, [])
        until(lambda: not outside.things(before["id"]), "its things are gone")
        assert not rules_of(address)
        assert len(outside.deaths(before["id"])) == 1
        time.sleep(1)  # the end is earlier than the next start
    state = json.loads(docker.ok("inspect", "-f", "{{json .State}}", "ending"))
    assert (state["Status"], state["ExitCode"], state["OOMKilled"], state["Pid"]) == ("exited", 7, False, 0)
    assert begin <= seconds(state["FinishedAt"]) <= gone
    assert docker.ok("logs", "ending") == "last"
    assert docker.ok("wait", "ending") == "7"
    assert told(docker, begin, "die") == ["ending 7"]
    docker.ok("run", "--rm", "busybox", "true")
    docker.ok("start", "ending")
    assert outside.container("ending")["run"]["number"] == 2
    docker.ok("rm", "-f", "ending")


def test_one_that_removes_itself_is_gone_with_its_anonymous_volume(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    run(docker, "vanishing", "exit 3", "--rm", "-v", "/data", "-v", "kept:/kept")
    before = outside.container("vanishing")
    [anonymous] = [path for path in (service.root / "volumes").iterdir() if path.name != "kept"]
    begin = time.time()
    with dead(service):
        go(before)
        until(lambda: not outside.containers(), "it is removed")
        assert not anonymous.exists()
        assert (service.root / "volumes" / "kept").exists()
        assert not (service.root / "containers" / before["id"]).exists()
        until(lambda: not outside.things(before["id"]), "its things are gone")
    assert docker.ok("ps", "-aq") == ""
    assert docker.ok("volume", "ls", "-q") == "kept"
    # Whoever waits for its removal is told its code after it, by its whole id.
    status, body = service.request("POST", f"/containers/{before['id']}/wait?condition=removed")
    assert (status, json.loads(body)["StatusCode"]) == (200, 3)
    assert told(docker, begin, "die", "destroy") == ["vanishing 3", "vanishing "]
    docker.ok("volume", "rm", "kept")


def test_ten_that_end_at_one_moment_are_all_settled(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    names = [f"many{number}" for number in range(10)]
    for number, name in enumerate(names):
        network = "bridge" if number % 3 == 0 else "none"
        run(docker, name, f"exit {number}", "--network", network, *(("--rm",) if number % 2 else ()))
    before = outside.containers()
    begin = time.time()
    with dead(service):
        for container in before:
            go(container)
        until(lambda: {each["state"] for each in outside.containers()} == {"exited"}, "all ends are recorded")
        until(lambda: len(outside.containers()) == 5, "half of them are removed")
        until(lambda: not any(outside.things(each["id"]) for each in before), "their things are gone")
        assert [len(outside.deaths(each["id"])) for each in before] == [1] * 10
        assert not any(rules_of(end["address"]) for each in before for end in each["run"]["endpoints"])
    listed = docker.ok("ps", "-a", "--format", "{{.Names}} {{.Status}}").splitlines()
    assert sorted(line.rpartition(")")[0] + ")" for line in listed) == [
        f"many{n} Exited ({n})" for n in (0, 2, 4, 6, 8)
    ]
    assert sorted(told(docker, begin, "die")) == [f"{name} {number}" for number, name in enumerate(names)]
    docker.ok("rm", *names[::2])


def test_how_it_was_killed_is_recorded(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    run(docker, "greedy", "exec tail /dev/zero", "--network", "none", "-m", "16m")
    docker.ok("run", "-d", "--name", "killed", "--network", "none", "busybox", "sleep", "60")
    greedy, killed = outside.container("greedy"), outside.container("killed")
    begin = time.time()
    with dead(service):
        go(greedy)
        kill(killed["run"]["pid"])
        until(lambda: {each["state"] for each in outside.containers()} == {"exited"}, "both ends are recorded")
        runs = [outside.container(name)["run"] for name in ("greedy", "killed")]
        assert [(run["exit_code"], run["oom_killed"]) for run in runs] == [(137, True), (137, False)]
    assert docker.ok("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "greedy", "killed").splitlines() == [
        "true 137",
        "false 137",
    ]
    assert sorted(told(docker, begin, "die", "oom")) == ["greedy ", "greedy 137", "killed 137"]
    docker.ok("rm", "greedy", "killed")


def test_a_service_that_dies_in_the_middle_of_cleaning_up_has_that_done_for_it(
    service: Service, docker: Docker
) -> None:
    outside = Outside(service)
    for number in range(4):
        run(docker, f"c{number}", "exit 2", "-p", "127.0.0.1::80")
    before = outside.containers()
    for container in before:
        go(container)
    until(lambda: any(each["state"] != "running" for each in outside.containers()), "the service hears of one")
    with dead(service):
        until(lambda: {each["state"] for each in outside.containers()} == {"exited"}, "all are cleaned up")
        until(lambda: not any(outside.things(each["id"]) for each in before), "their things are gone")
        assert not any(rules_of(end["address"]) for each in before for end in each["run"]["endpoints"])
        assert [len(outside.deaths(each["id"])) for each in before] == [1] * 4
    docker.ok("rm", *(each["name"] for each in before))


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), "it is gone")


def told(docker: Docker, since: float, *actions: str) -> list[str]:
    """Name and exit code of each event of these kinds, in order."""
    filters = [word for action in actions for word in ("--filter", f"event={action}")]
    said = docker.ok(
        "events", "--since", f"{since:.6f}", "--until", f"{time.time() + 0.2:.6f}", "--filter", "type=container",
        *filters, "--format", "{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}",
    )  # fmt: skip
    return [line.replace("<no value>", "") for line in said.splitlines()]


def seconds(stamp: str) -> float:
    """A time as Docker writes it, in seconds since 1970."""
    whole, _, part = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp() + float(f"0.{part or 0}")
