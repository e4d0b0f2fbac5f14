"""A registry at a place where nothing can be: references take any number for a port, and TCP does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.test_pull_docker import auth, pull
from tests.support.image_archive import busybox_image, docker_archive
from tests.support.registry import PASSWORD, USERNAME, DockerRegistry, docker_registry
from tests.support.service import Service

MakeService = Callable[..., Service]
NOWHERE = "r.example:99999"
WORDS = "dial tcp: address 99999: invalid port"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


@pytest.mark.parametrize("headers", [{}, auth(NOWHERE)])
@pytest.mark.parametrize("tag", ["latest", ""])
def test_a_pull_from_a_port_above_65535_is_400(service: Service, headers: dict[str, str], tag: str) -> None:
    status, (said,) = pull(service, f"{NOWHERE}/box", tag, **headers)
    assert (status, said["message"]) == (400, f'Get "https://{NOWHERE}/v2/": {WORDS}')


def test_so_is_a_push_a_login_and_what_podman_asks_for(service: Service) -> None:
    def post(path: str, body: object = None) -> tuple[int, str]:
        status, said = service.request("POST", path, body)
        message = json.loads(said)["message"]
        assert NOWHERE in message
        return status, message.rpartition('": ')[2]

    assert service.request("POST", "/images/load?quiet=1", docker_archive(busybox_image(f"{NOWHERE}/box:1")))[0] == 200
    login = {"username": USERNAME, "password": PASSWORD, "serveraddress": NOWHERE}
    assert post("/auth", login) == (400, WORDS)
    assert post(f"/v5.0.0/libpod/images/pull?reference={NOWHERE}/box") == (400, WORDS)
    assert post(f"/v5.0.0/libpod/images/{NOWHERE}/box:1/push") == (400, WORDS)


def test_a_mirror_at_such_a_port_is_one_that_is_away(
    make_service: MakeService, registry: DockerRegistry, tmp_path: Path
) -> None:
    conf = tmp_path / "registries.conf"
    conf.write_text(
        f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n[[registry.mirror]]\nlocation = "{NOWHERE}"\n'
        f'[[registry]]\nprefix = "moved.invalid"\nlocation = "{NOWHERE}"\n'
    )
    service = make_service("--idle-timeout", "0")
    service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(conf)})
    assert pull(service, f"{registry.host}/box", **auth(NOWHERE))[0] == 200
    for headers in ({}, auth(NOWHERE)):
        status, (said,) = pull(service, "moved.invalid/box", **headers)
        assert (status, WORDS in str(said["message"])) == (500, True)
