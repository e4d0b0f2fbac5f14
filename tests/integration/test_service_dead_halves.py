"""Death at any moment, of the service or of what stands beside it: the next start leaves no half of anything."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
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


def waits(docker: Docker, name: str, *options: str) -> None:
    """Run one that ends with 5 when `go` lets it."""
    script = "while [ ! -e /go ]; do sleep 0.05; done; exit 5"
    docker.ok("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script)


def go(pid: int) -> None:
    Path(f"/proc/{pid}/root/go").touch()
    until(lambda: not alive(pid), "it ends")


# --- beside each other ---


def test_a_start_waits_for_the_reconcile_that_has_the_lock(service: Service) -> None:
    service.kill()
    with (service.root / "lock").open("rb+") as lock:  # as a reconcile has it
        fcntl.flock(lock, fcntl.LOCK_EX)
        service.start(wait=False)
        time.sleep(1)
        assert service.running
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            service.request("GET", "/_ping", timeout=1)
    service.wait_until_it_answers()


def test_a_service_that_starts_while_ends_are_reconciled_serves_them_settled(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    for number in range(6):
        waits(docker, f"c{number}", *(("--network", "none") if number % 2 else ()))
    before = outside.containers()
    with dead(service):
        for container in before:
            go(container["run"]["pid"])
    until(lambda: {each["state"] for each in outside.containers()} == {"exited"}, "all are settled")
    assert [each["run"]["exit_code"] for each in outside.containers()] == [5] * 6
    assert [len(outside.deaths(each["id"])) for each in before] == [1] * 6
    until(lambda: not any(outside.things(each["id"]) for each in before), "nothing of them is left")


# --- something is gone ---


def test_without_its_interpreter_the_exit_program_leaves_the_end_to_the_next_start(
    service: Service, docker: Docker
) -> None:
    outside = Outside(service)
    waits(docker, "orphan")
    before = outside.container("orphan")
    with dead(service):
        (service.root / "libexec" / "interpreter").write_text("/nonexistent/python\n")
        conmon = outside.conmon(before["id"])
        go(before["run"]["pid"])
        until(lambda: not alive(conmon), "conmon ends")
        ended = time.time()
        assert outside.container("orphan") == before
        by_hand = [service.root / "libexec" / "exited", service.root, service.runroot, before["id"], "1"]
        assert subprocess.run(by_hand, capture_output=True, timeout=30, check=False).returncode == 1
        time.sleep(1)
    after = outside.container("orphan")
    assert (after["state"], after["run"]["exit_code"]) == ("exited", 5)
    assert docker.ok("inspect", "-f", "{{.State.FinishedAt}}", "orphan") <= stamp(ended)
    assert len(outside.deaths(before["id"])) == 1
    assert outside.things(before["id"]) == set()


def test_an_end_that_conmon_did_not_live_to_record_has_an_unknown_code(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    waits(docker, "unseen")
    before = outside.container("unseen")
    with dead(service):
        os.kill(outside.conmon(before["id"]), signal.SIGKILL)
        pid = before["run"]["pid"]
        until(lambda: not alive(outside.conmon(before["id"])), "conmon is gone")
        assert alive(pid)
        go(pid)
    assert docker.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "unseen") == "exited 255"
    assert len(outside.deaths(before["id"])) == 1
    assert outside.things(before["id"]) == set()


def test_a_container_whose_conmon_was_killed_is_still_ours(service: Service, docker: Docker) -> None:
    outside = Outside(service)
    docker.ok("run", "-d", "--name", "unwatched", "busybox", "sleep", "60")
    before = outside.container("unwatched")
    with dead(service):
        os.kill(outside.conmon(before["id"]), signal.SIGKILL)
    assert outside.container("unwatched")["state"] == "running"
    assert docker.ok("exec", "unwatched", "echo", "hi") == "hi"
    assert docker.ok("stop", "-t", "0", "unwatched") == "unwatched"
    assert docker.ok("inspect", "-f", "{{.State.Status}}", "unwatched") == "exited"
    assert outside.things(before["id"]) == set()


def test_a_lost_run_root_costs_a_running_container_neither_its_life_nor_its_clean_end(
    fresh_service: Service, docker_for: Callable[[Service], Docker]
) -> None:
    service, docker = fresh_service, docker_for(fresh_service)
    outside = Outside(service)
    docker.ok("run", "-d", "--name", "lost", "-p", "127.0.0.1::80", "busybox", "sleep", "60")
    before = outside.container("lost")
    service.kill()
    for namespace in service.runroot.glob("netns/*"):
        subprocess.run(["umount", "-l", namespace], check=True)
    shutil.rmtree(service.runroot)
    service.start()
    after = outside.container("lost")
    assert (after["state"], after["run"]["pid"]) == ("running", before["run"]["pid"])
    assert alive(before["run"]["pid"])
    assert docker("start", "lost").code == 0
    assert outside.container("lost")["run"]["number"] == 1, "it is not started twice"
    assert docker.ok("stop", "-t", "0", "lost") == "lost"
    assert docker.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "lost") == "exited 255"
    assert outside.things(before["id"]) == set()
    assert rules_of(before["run"]["endpoints"][0]["address"]) == set()
    docker.ok("start", "lost")
    docker.ok("rm", "-f", "lost")


def test_after_a_reboot_nothing_runs_and_nothing_is_killed(
    fresh_service: Service, docker_for: Callable[[Service], Docker]
) -> None:
    service, docker = fresh_service, docker_for(fresh_service)
    outside = Outside(service)
    for name in ("plain", "vanishing"):
        options = ("--rm",) if name == "vanishing" else ()
        docker.ok("run", "-d", "--name", name, *options, "busybox", "sleep", "60")
    ids = [outside.container(name)["id"] for name in ("plain", "vanishing")]
    pids = [outside.container(name)["run"]["pid"] for name in ("plain", "vanishing")]
    service.kill()
    # What a reboot does to them, but for mounts and namespaces: it is told apart by the recorded boot alone.
    conmons = [outside.conmon(each) for each in ids]
    for pid in (*conmons, *pids):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(alive, (*conmons, *pids))), "all are gone")
    with closing(sqlite3.connect(service.root / "state.sqlite")) as state, state:
        assert (
            state.execute("UPDATE setting SET value = ? WHERE name = 'boot_id'", (b'"an earlier one"',)).rowcount == 1
        )
    service.start()
    assert docker.ok("ps", "-a", "--format", "{{.Names}}") == "plain"
    assert docker.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "plain") == "exited 255"
    assert not any(outside.things(each) for each in ids)
    docker.ok("start", "plain")
    docker.ok("rm", "-f", "plain")


# --- at any moment ---


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_a_service_killed_in_the_middle_of_whole_runs_leaves_nothing(
    service: Service, docker: Docker, network: str
) -> None:
    """Starts and removals in a loop, one and the same name, and four deaths."""
    before = leftovers.everything(service.folder)
    chance = random.Random(network)
    for _ in range(4):
        clients = [
            docker.start("run", "--rm", "--name", "same", "--network", network, "busybox", "true"),
            docker.start("run", "--name", "other", "--network", network, "-v", "/data", "busybox", "sleep", "60"),
        ]
        time.sleep(chance.uniform(0.05, 0.9))
        clients.append(docker.start("rm", "-f", "-v", "other"))
        time.sleep(chance.uniform(0, 0.4))
        with dead(service):
            for client in clients:
                client.kill()
                client.communicate()
        service.remove_containers()
        assert docker.ok("run", "--rm", "--name", "same", "--network", network, "busybox", "echo", "well") == "well"
    assert docker.ok("ps", "-aq") == ""
    assert docker.ok("volume", "ls", "-q") == ""
    assert not list((service.root / "containers").iterdir())
    assert not list((service.runroot / "runs").iterdir())
    assert not list(service.runroot.glob("runtime/*/*"))
    until(lambda: not list(service.runroot.glob("netns/*")), "nobody is on the bridge any more, and it goes")
    left = leftovers.settled(lambda: leftovers.everything(service.folder), before)
    # Its guard stays as long as it does.
    left -= {each for each in left if each.pid == service.pid or "/libexec/guard " in each.name}
    assert not left, "left behind: " + "; ".join(sorted(map(str, left)))


def stamp(seconds: float) -> str:
    """As Docker writes a time: of the same length to the second, so that two can be compared."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".999999999Z"
