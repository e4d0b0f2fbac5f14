"""Limits of memory, processes and processors, by what they do, with each runtime.

The hierarchy is the host's. Where that has v1, `script/in-uml` runs them once more on v2 alone, with its controllers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from apiserver.config.host import CgroupMode, read_host
from tests.integration.conftest import ready
from tests.support.docker import Docker, Said
from tests.support.service import WITHOUT_UNIFIED, Service

MIB = 1 << 20
UNIFIED = read_host().cgroup_mode is CgroupMode.UNIFIED

SHOW = """
show() { for file in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do if [ -e "$file" ]; then cat "$file"; fi; done }
"""
"""A shell function that prints a file of the container's own cgroup, wherever the hierarchy has it."""

HOG = "x=a; while :; do x=$x$x; done"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One in which both runtimes work: crun does not beside a v2 tree that has controllers."""
    made = ready(Service("--idle-timeout", "0", wrapper=() if UNIFIED else WITHOUT_UNIFIED))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


@pytest.fixture(params=["crun", "runc"])
def run(request: pytest.FixtureRequest, docker: Docker) -> Callable[..., Said]:
    """`docker run --network none OPTIONS busybox sh -c SCRIPT` with one runtime."""

    def call(*options: str, script: str) -> Said:
        always = ("--network", "none", "--runtime", request.param)
        return docker("run", *always, *options, "busybox", "sh", "-c", SHOW + script)

    return call


def test_limits_are_in_the_containers_own_cgroup_and_nothing_is_left_out(run: Callable[..., Said]) -> None:
    asked = ("-m", "64m", "--memory-swap", "96m", "--pids-limit", "50", "--cpus", "0.5", "--cpu-shares", "2048")
    if UNIFIED:
        said = run(*asked, script="show memory.max; show pids.max; show cpu.max; show cpu.weight; show memory.swap.max")
        expected = [str(64 * MIB), "50", "50000 100000"]
    else:
        said = run(
            *asked,
            script="show memory.limit_in_bytes; show pids.max; show cpu.cfs_quota_us; show cpu.cfs_period_us;"
            "show cpu.shares; show memory.memsw.limit_in_bytes",
        )
        expected = [str(64 * MIB), "50", "50000", "100000"]
    assert (said.code, said.stderr) == (0, "")
    *found, share, swap = said.stdout.splitlines()
    assert found == expected
    # The runtimes make weights of shares in different ways, and 39 or 100 of the usual 1024.
    assert int(share) > 39 if UNIFIED else share == "2048"
    assert int(swap) == (32 if UNIFIED else 96) * MIB


def test_no_more_processes_are_made_than_there_may_be(run: Callable[..., Said]) -> None:
    said = run("--pids-limit", "10", script="for n in $(seq 30); do sleep 60 & echo $n; done")
    assert said.code != 0
    assert "can't fork" in said.stderr
    assert 1 < len(said.stdout.split()) < 10


def test_a_share_of_a_processor_is_no_more_than_that(run: Callable[..., Said]) -> None:
    said = run("--cpus", "0.1", script="timeout 2 sh -c 'while :; do :; done'; show cpu.stat | grep nr_throttled")
    assert int(said.stdout.split()[1]) > 0, said


def test_what_takes_more_memory_than_it_may_is_killed_and_told(docker: Docker, run: Callable[..., Said]) -> None:
    assert run("--name", "hog", "-m", "16m", "--memory-swap", "16m", script=HOG).code == 137
    assert docker.ok("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "hog") == "true 137"
    told = docker.ok(
        "events", "--since", "10m", "--until", "-1s", "--filter", "container=hog", "--format", "{{.Action}}"
    )
    assert "oom" in told.split()


def test_an_exec_has_the_limits_of_its_container(docker: Docker, run: Callable[..., Said]) -> None:
    run("-d", "--name", "kept", "-m", "16m", "--memory-swap", "16m", script="sleep 600")
    assert docker("exec", "kept", "sh", "-c", HOG).code == 137
    # It is the largest that is killed, and the container's own process is not.
    assert docker.ok("inspect", "-f", "{{.State.Running}} {{.State.OOMKilled}}", "kept").split()[0] == "true"
    assert docker.ok("exec", "kept", "echo", "here") == "here"
