"""`docker rename` and `podman --remote rename`, on the real service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.docker import Docker
from tests.support.outside import until
from tests.support.podman import Podman
from tests.support.service import Service

LIBPOD = "/v5.0.0/libpod/containers"


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def run(docker: Docker, name: str) -> str:
    return docker.ok("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "1000")


def test_both_commands_rename_what_runs_and_what_does_not(docker: Docker, podman: Podman) -> None:
    run(docker, "box")
    docker.ok("rename", "box", "crate")
    assert podman.ok("ps", "--format", "{{.Names}}") == "crate"
    podman.ok("rename", "crate", "chest")
    assert docker.ok("ps", "--format", "{{.Names}}") == "chest"
    docker.ok("exec", "chest", "true")
    docker.ok("kill", "chest")
    docker.ok("rename", "chest", "box")
    podman.ok("rename", "box", "crate")
    assert docker.ok("ps", "-a", "--format", "{{.Names}}") == "crate"
    docker.ok("start", "crate")


def test_a_name_that_is_taken_is_refused_to_both(docker: Docker, podman: Podman) -> None:
    run(docker, "box")
    run(docker, "crate")
    for said in (docker("rename", "box", "crate"), podman("rename", "box", "crate")):
        assert said.code != 0
        assert "already in use" in said.stderr
    assert "No such container" in docker("rename", "nope", "new").stderr
    assert "same name as its current name" in docker("rename", "box", "box").stderr
    podman.ok("rename", "box", "box")
    assert sorted(docker.ok("ps", "--format", "{{.Names}}").split()) == ["box", "crate"]


def test_of_many_that_want_one_name_at_once_one_has_it(docker: Docker, service: Service) -> None:
    ids = [run(docker, f"box{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: service.request("POST", f"/containers/{each}/rename?name=wanted")[0], ids))
    assert sorted(answers) == [204, 409, 409, 409]
    assert docker.ok("ps", "-q", "--no-trunc", "--filter", "name=^wanted$") == ids[answers.index(204)]


def test_a_service_that_is_killed_while_it_renames_knows_the_container_by_one_name(fresh_service: Service) -> None:
    service = fresh_service
    box = {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}}
    created = json.loads(service.request("POST", "/containers/create?name=n0", box)[1])["Id"]
    assert service.request("POST", "/containers/n0/start")[0] == 204
    answered = [0]

    def rename() -> None:
        try:
            for number in range(1, 10_000):
                if service.request("POST", f"/containers/{created}/rename?name=n{number}")[0] != 204:
                    return
                answered[0] = number
        except OSError:
            return  # it was killed

    renaming = threading.Thread(target=rename)
    renaming.start()
    until(lambda: answered[0] > 9, "some are answered")
    service.kill()
    renaming.join(20)
    service.start()
    (shown,) = json.loads(service.request("GET", "/containers/json")[1])
    assert (shown["Id"], shown["State"]) == (created, "running")
    assert answered[0] > 0
    assert shown["Names"] in ([f"/n{answered[0]}"], [f"/n{answered[0] + 1}"])
    assert service.request("GET", f"{LIBPOD}/{shown['Names'][0][1:]}/exists")[0] == 204
    assert service.request("POST", "/containers/create?name=n0", box)[0] == 201
