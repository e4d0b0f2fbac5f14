"""A service that leaves because nobody needs it: the containers stay, and whoever connects has all of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.holder import Holder
from tests.support.outside import Outside, alive, answer_at, until
from tests.support.service import PROGRAM, Service

WINDOW = 1.0


@pytest.fixture
def held(fresh_service: Service) -> Iterator[tuple[Service, Holder]]:
    """The root of a service, with its socket in somebody's hand who starts it on each connection."""
    assert fresh_service.terminate() == 0
    command = [
        *(str(PROGRAM), "serve", "--root", str(fresh_service.root), "--runroot", str(fresh_service.runroot)),
        *("--idle-timeout", str(WINDOW), "--listen", "systemd:domain=UNIX:index=0"),
    ]
    fresh_service.socket.unlink(missing_ok=True)
    with ExitStack() as stack:
        holder = stack.enter_context(Holder(fresh_service.socket, command, fresh_service.log_path))
        yield fresh_service, holder
    fresh_service.socket.unlink()  # a holder lets go of the descriptor alone
    assert set(holder.statuses) == {0}


def test_containers_outlive_an_idle_exit_and_end_without_a_service(
    held: tuple[Service, Holder], docker_for: Callable[[Service], Docker]
) -> None:
    service, holder = held
    docker, outside = docker_for(service), Outside(service)
    answers = "while :; do echo here | nc -l -p 80; done"
    docker.ok("run", "-d", "--name", "staying", "-p", "127.0.0.1::80", "busybox", "sh", "-c", answers)
    script = "while [ ! -e /go ]; do sleep 0.05; done; echo last; exit 4"
    docker.ok("run", "-d", "--name", "ending", "busybox", "sh", "-c", script)
    port = int(docker.ok("port", "staying", "80").rpartition(":")[2])
    staying, ending = outside.container("staying"), outside.container("ending")
    until(lambda: len(holder.statuses) == 1, "it leaves")
    assert holder.service is not None
    assert holder.service.poll() == 0
    assert answer_at(port) == b"here\n"
    assert alive(staying["run"]["pid"])

    Path(f"/proc/{ending['run']['pid']}/root/go").touch()
    until(lambda: outside.container("ending")["state"] == "exited", "its end is settled")
    until(lambda: not outside.things(ending["id"]), "nothing of it is left")
    assert len(outside.deaths(ending["id"])) == 1
    assert holder.statuses == [0], "no service was needed for that"

    listed = docker.ok("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines()
    assert sorted(listed) == ["ending exited", "staying running"]
    assert docker.ok("logs", "ending") == "last"
    assert docker.ok("wait", "ending") == "4"
    assert docker.ok("exec", "staying", "echo", "hi") == "hi"
    docker.ok("rm", "-f", "staying", "ending")


def test_an_end_after_a_sigkill_starts_the_service_that_somebody_holds_the_socket_of(
    held: tuple[Service, Holder], docker_for: Callable[[Service], Docker]
) -> None:
    service, holder = held
    docker, outside = docker_for(service), Outside(service)
    docker.ok("run", "-d", "--name", "ending", "busybox", "sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; exit 4")
    ending = outside.container("ending")
    assert holder.service is not None
    holder.service.kill()
    until(lambda: holder.statuses == [-signal.SIGKILL], "it is dead")
    Path(f"/proc/{ending['run']['pid']}/root/go").touch()  # nobody but the container's monitor connects now
    until(lambda: outside.container("ending")["state"] == "exited", "its end is settled")
    until(lambda: holder.statuses == [-signal.SIGKILL, 0], "the service was there, and leaves again")
    holder.statuses[:] = [0]  # what the fixture looks for is the others
    assert outside.things(ending["id"]) == set()
    assert len(outside.deaths(ending["id"])) == 1
    assert outside.container("ending")["run"]["exit_code"] == 4


def test_ends_around_the_moment_of_an_idle_exit_are_all_settled(
    held: tuple[Service, Holder], docker_for: Callable[[Service], Docker]
) -> None:
    """Containers that end from 50 ms before to 150 ms after the window is over."""
    service, _ = held
    docker, outside = docker_for(service), Outside(service)
    script = "while [ ! -e /go ]; do sleep 0.01; done; exit 6"
    for number in range(6):
        docker.ok("run", "-d", "--name", f"c{number}", "--network", "none", "busybox", "sh", "-c", script)
    before = outside.containers()
    roots = [os.open(f"/proc/{each['run']['pid']}/root", os.O_PATH) for each in before]
    docker.ok("version")
    begin = time.monotonic()
    for number, root in enumerate(roots):
        time.sleep(max(0.0, begin + WINDOW - 0.05 + number * 0.04 - time.monotonic()))
        os.close(os.open("go", os.O_CREAT | os.O_WRONLY, dir_fd=root))
        os.close(root)
    until(lambda: {each["state"] for each in outside.containers()} == {"exited"}, "all are settled")
    assert [each["run"]["exit_code"] for each in outside.containers()] == [6] * 6
    assert [len(outside.deaths(each["id"])) for each in before] == [1] * 6
    until(lambda: not any(outside.things(each["id"]) for each in before), "nothing of them is left")
