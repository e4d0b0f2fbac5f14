"""`podman --remote ps`, `logs` and `rm` with their less common options, on the real service."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.docker import Docker
from tests.support.podman import Podman
from tests.support.service import Service

LIBPOD = "/v5.0.0/libpod/containers"


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def run(podman: Podman, script: str, name: str = "box") -> None:
    podman.ok("run", "-d", "--name", name, "--network", "none", "busybox", "sh", "-c", script)
    limit = time.monotonic() + 20
    while "ready" not in podman.ok("logs", name):
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_listing_shows_the_namespaces_that_the_kernel_names(podman: Podman, service: Service) -> None:
    run(podman, "echo ready; sleep 1000")
    podman.ok("create", "--name", "idle", "--network", "none", "busybox", "true")
    status, body = service.request("GET", f"{LIBPOD}/json?all=true&namespace=true&sync=true")
    shown = {each["Names"][0]: each for each in json.loads(body)}
    pid = shown["box"]["Pid"]
    files = {"Mnt": "mnt", "Ipc": "ipc", "Net": "net", "Pidns": "pid", "Uts": "uts", "User": "user", "Cgroup": "cgroup"}
    for word, file in files.items():
        assert os.readlink(f"/proc/{pid}/ns/{file}") == f"{file}:[{shown['box']['Namespaces'][word]}]"
    assert (status, shown["idle"]["Namespaces"]) == (200, {})
    assert shown["box"]["Namespaces"]["Mnt"] in podman.ok("ps", "--ns")
    assert podman.ok("ps", "--last", "1", "--format", "{{.Names}}") == "idle"


def test_logs_end_at_a_moment_in_each_of_its_forms(podman: Podman, docker: Docker) -> None:
    run(podman, "echo early; sleep 2.2; echo ready; sleep 1000")
    lines = docker.ok("logs", "-t", "box").splitlines()
    early, late = (datetime.fromisoformat(line.split()[0][:26] + "+00:00") for line in lines)
    between = early.replace(microsecond=0) + timedelta(seconds=1)  # podman sends whole seconds
    assert early < between < late
    forms = (between.isoformat(), f"{between.timestamp():.6f}")
    for until in forms:
        assert docker.ok("logs", "--until", until, "box") == "early"
    assert podman.ok("logs", "--until", between.isoformat(), "box") == "early"
    assert docker.ok("logs", "--until", "1h", "box") == ""
    assert podman.ok("logs", "--since", between.isoformat(), "--until", "1h", "box") == "ready"


def test_a_followed_log_ends_at_its_moment_while_the_container_runs_on(podman: Podman, docker: Docker) -> None:
    run(podman, "echo ready; while :; do sleep 0.1; echo more; done")
    for command in (docker, podman):
        until = datetime.now(UTC) + timedelta(seconds=1)
        shown = command.ok("logs", "-f", "--until", until.isoformat(), "box", timeout=20)
        assert shown.startswith("ready\nmore")
    run(podman, "echo ready; sleep 1000", "silent")
    until = datetime.now(UTC) + timedelta(seconds=1)
    assert docker.ok("logs", "-f", "--until", until.isoformat(), "silent", timeout=20) == "ready"


def test_a_forced_removal_gives_the_time_that_it_is_told(podman: Podman, docker: Docker) -> None:
    volume = docker.ok("volume", "create", "said")
    podman.ok(
        "create",
        "--name",
        "box",
        "--network",
        "none",
        "-v",
        f"{volume}:/v",
        "busybox",
        "sh",
        "-c",
        "trap 'echo polite >/v/said; exit' TERM; echo ready; while :; do sleep 0.1; done",
    )
    podman.ok("start", "box")
    while "ready" not in podman.ok("logs", "box"):
        time.sleep(0.05)
    podman.ok("rm", "-f", "-t", "5", "box")
    assert docker.ok("run", "--rm", "--network", "none", "-v", f"{volume}:/v", "busybox", "cat", "/v/said") == "polite"
    docker.ok("volume", "rm", volume)
