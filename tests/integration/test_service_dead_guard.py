"""What the service, or a monitor, was killed in the middle of is finished before anybody starts the service again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import leftovers
from tests.support.docker import Docker
from tests.support.outside import Outside, alive, dead, rules_of, until
from tests.support.service import Service


@pytest.fixture(autouse=True)
def no_containers_left(service: Service) -> Iterator[None]:
    """A test that fails is not to make the next fail."""
    yield
    service.remove_containers()


def settled(outside: Outside, container_id: str) -> bool:
    [row] = [each for each in outside.containers() if each["id"] == container_id]
    run = row["run"]
    if run is None:  # not even the intent of a start was recorded
        return True
    return row["state"] not in ("running", "stopped") and not run["plan"] and run["network"] is None


def test_a_container_that_ends_without_monitor_or_service_gives_all_back(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    docker.ok("run", "-d", "--name", "alone", "-p", "127.0.0.1::80", "busybox", "sleep", "60")
    before = outside.container("alone")
    address = before["run"]["endpoints"][0]["address"]
    assert rules_of(address)
    with dead(service):
        os.kill(outside.conmon(before["id"]), signal.SIGKILL)
        time.sleep(0.3)
        assert outside.container("alone") == before, "it runs on"
        os.kill(before["run"]["pid"], signal.SIGKILL)
        until(lambda: settled(outside, before["id"]), "its end is recorded")
        until(lambda: not outside.things(before["id"]), "its things are gone")
        assert not rules_of(address)
        assert len(outside.deaths(before["id"])) == 1
    assert docker.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "alone") == "exited 255"
    docker.ok("rm", "alone")


def begun(service: Service) -> Callable[[], object]:
    return lambda: list(service.runroot.glob("unsettled/*"))


@pytest.mark.parametrize("far", ["intended", "wired", "created"])
def test_a_start_that_is_cut_short_gives_all_back(service: Service, docker: Docker, far: str) -> None:
    outside = Outside(service)
    docker.ok("create", "--name", "short", "-p", "127.0.0.1::80", "busybox", "sleep", "60")
    identity = outside.container("short")["id"]
    reached: Callable[[], object] = {
        "intended": (service.runroot / "unsettled" / identity).exists,
        "wired": lambda: list(service.runroot.glob(f"netns/{identity}-*")),
        "created": lambda: list(service.runroot.glob(f"runs/{identity}/1/conmon.pid")),
    }[far]
    client = docker.start("start", "short")
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
    with dead(service):
        client.communicate()
        until(lambda: settled(outside, identity), "the start is undone")
        until(lambda: not outside.things(identity), "its things are gone")
        assert not any(rules_of(f"10.89.0.{last}") for last in range(2, 30))
        until(lambda: not begun(service)(), "nothing is unfinished")
    docker.ok("start", "short")
    docker.ok("rm", "-f", "short")


def test_a_bridge_that_nobody_is_on_goes_with_a_service_that_dies(
    fresh_service: Service, docker_for: Callable[[Service], Docker]
) -> None:
    before = leftovers.interfaces()
    docker_for(fresh_service).ok("run", "--rm", "busybox", "true")
    until((fresh_service.runroot / "unsettled" / "bridges").exists, "nobody is on the bridge")
    stands = leftovers.interfaces() - before
    assert stands, "for the next"
    with dead(fresh_service):
        until(lambda: not leftovers.interfaces() & stands, "it is taken down")
        until(lambda: not begun(fresh_service)(), "nothing is unfinished")


def test_a_guard_that_was_killed_is_replaced_and_one_leaves_with_the_last_container(
    service: Service, docker: Docker
) -> None:
    docker.ok("run", "--rm", "--network", "none", "busybox", "true")
    [first] = guards(service)
    os.kill(first, signal.SIGKILL)
    until(lambda: not alive(first), "it is gone")
    docker.ok("run", "-d", "--name", "stays", "--network", "none", "busybox", "sleep", "60")
    [second] = guards(service)
    with dead(service):
        time.sleep(0.3)
        assert guards(service) == [second]
        os.kill(second, signal.SIGKILL)
        until(lambda: not alive(second), "it is gone")
    [third] = guards(service)
    docker.ok("rm", "-f", "stays")
    assert guards(service) == [third]
    with dead(service):
        until(lambda: not guards(service), "it leaves")


def guards(service: Service) -> list[int]:
    program = os.fsencode(service.root / "libexec" / "guard")
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except (FileNotFoundError, ProcessLookupError):
            continue
        if program in words:
            found.append(int(entry.name))
    return found
