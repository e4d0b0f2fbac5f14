"""`podman --remote wait`, on the real service."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.podman import Podman
from tests.support.service import Service

LIBPOD = "/v5.0.0/libpod/containers"
CREATE = ("create", "--name", "box", "--network", "none", "busybox", "sh", "-c")


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def test_a_client_that_waits_for_running_is_told_of_the_start(podman: Podman) -> None:
    podman.ok(*CREATE, "sleep 1000")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(podman.ok, "wait", "--condition", "running", "box")
        assert podman.ok("wait", "--condition", "created", "box") == "-1"
        assert not waiting.done()
        podman.ok("start", "box")
        assert waiting.result(20) == "-1"
    assert podman.ok("wait", "--condition", "running", "--condition", "exited", "box") == "-1"


def test_the_end_has_its_code_and_an_interval_changes_nothing(podman: Podman) -> None:
    podman.ok(*CREATE, "sleep 0.5; exit 3")
    podman.ok("start", "box")
    assert podman.ok("wait", "--interval", "100ms", "box") == "3"
    assert podman.ok("wait", "--condition", "stopped", "box") == "3"


def test_conditions_of_health_checks_and_unknown_ones_are_named(podman: Podman, service: Service) -> None:
    podman.ok(*CREATE, "true")
    for word, status in (("healthy", 501), ("nonsense", 400)):
        got, body = service.request("POST", f"{LIBPOD}/box/wait?condition={word}")
        assert (got, word.encode() in body) == (status, True)


def test_the_code_of_a_removed_one_is_told_by_its_id(podman: Podman, service: Service) -> None:
    container_id = podman.ok(*CREATE, "exit 3")
    podman.ok("start", "box")
    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(service.request, "POST", f"{LIBPOD}/box/wait?condition=removing")
        assert podman.ok("wait", "box") == "3"
        podman.ok("rm", "box")
        assert removing.result(20) == (200, b"-1\n")
    assert service.request("POST", f"{LIBPOD}/{container_id}/wait") == (200, b"3\n")
    assert service.request("POST", f"{LIBPOD}/box/wait")[0] == 404
    assert service.request("POST", f"{LIBPOD}/{container_id}/wait?condition=running")[0] == 404
