"""A container that is made ready and not started, on the real service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.podman import Podman
from tests.support.service import Service

LIBPOD = "/v5.0.0/libpod/containers"
BOX: dict[str, Any] = {"Image": "busybox", "Cmd": ["sh", "-c", "echo said; sleep 1000"]}


def create(service: Service, **body: Any) -> None:
    assert service.request("POST", "/containers/create?name=box", BOX | body)[0] == 201


def state(service: Service, base: str = LIBPOD) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(service.request("GET", f"{base}/box/json")[1])["State"]
    return shown


@pytest.fixture(autouse=True)
def no_containers_left(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def test_podman_makes_one_ready_and_starts_it(podman: Podman, service: Service) -> None:
    create(service, HostConfig={"PortBindings": {"80/tcp": [{"HostPort": ""}]}})
    podman.ok("init", "box")
    assert (state(service)["Status"], state(service, "/containers")["Status"]) == ("initialized", "created")
    assert service.request("POST", f"{LIBPOD}/box/init") == (304, b"")
    assert podman.ok("logs", "box") == ""
    podman.ok("start", "box")
    assert state(service)["Status"] == "running"
    assert podman.ok("exec", "box", "sh", "-c", "echo $((1 + 1))") == "2"
    assert podman.ok("port", "box").startswith("80/tcp -> 0.0.0.0:")


def test_one_that_waits_is_removed_without_force(podman: Podman, service: Service) -> None:
    create(service)
    podman.ok("init", "box")
    podman.ok("rm", "box")
    assert service.containers() == []


def test_a_program_that_is_missing_is_told_at_once(service: Service) -> None:
    create(service, Cmd=["no-such-program"], HostConfig={"NetworkMode": "none"})
    status, body = service.request("POST", f"{LIBPOD}/box/init")
    if status != 204:  # runc looks only when it starts it
        assert (status, "no-such-program" in json.loads(body)["message"]) == (400, True)
        assert state(service)["Status"] == "created"


@pytest.mark.parametrize("stop", [Service.kill, Service.terminate], ids=["killed", "stopped"])
def test_it_outlives_the_service_and_is_started_by_the_next(fresh_service: Service, stop: Callable[..., Any]) -> None:
    create(fresh_service)
    assert fresh_service.request("POST", f"{LIBPOD}/box/init")[0] == 204
    stop(fresh_service)
    fresh_service.start()
    assert state(fresh_service)["Status"] == "initialized"
    assert fresh_service.request("POST", f"{LIBPOD}/box/start")[0] == 204
    shown = state(fresh_service)
    assert shown["Status"] == "running"
    assert Path(f"/proc/{shown['Pid']}").exists()
    assert fresh_service.request("POST", f"{LIBPOD}/box/kill")[0] == 204
    assert fresh_service.request("POST", f"{LIBPOD}/box/wait")[1] == b"137\n"


def test_one_that_waits_is_stopped_by_podman_and_can_be_started_again(podman: Podman, service: Service) -> None:
    create(service)
    podman.ok("init", "box")
    pid = state(service)["Pid"]
    assert Path(f"/proc/{pid}").exists()
    assert service.request("POST", "/containers/box/stop")[0] == 304
    podman.ok("stop", "box")
    assert not Path(f"/proc/{pid}").exists()
    assert (state(service)["Status"], state(service)["Pid"]) == ("exited", 0)
    podman.ok("start", "box")
    assert state(service)["Status"] == "running"
