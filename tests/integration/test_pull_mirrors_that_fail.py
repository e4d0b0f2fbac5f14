"""A mirror that fails beside a registry that answers: what the registry says counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.test_pull_docker import auth, pull
from tests.support.image_archive import busybox_image
from tests.support.registry import DockerRegistry, docker_registry
from tests.support.service import Service, start_with_registries_conf

MakeService = Callable[..., Service]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


@pytest.fixture
def mirrored(make_service: MakeService, tmp_path: Path) -> Callable[[str], Service]:
    return partial(start_with_registries_conf, make_service, tmp_path)


def mirror(host: str) -> str:
    return f'[[registry.mirror]]\nlocation = "{host}"\ninsecure = true\n'


def test_an_image_that_is_not_there_is_404_whatever_its_mirrors_say(
    mirrored: Callable[[str], Service], registry: DockerRegistry, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "other", protected=True) as closed:
        of_registry = f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n'
        service = mirrored(of_registry + mirror("127.0.0.1:1") + mirror(closed.host))
        words = f"manifest for {registry.host}/box:nope not found: manifest unknown: manifest unknown"
        for headers in ({}, auth(registry.host)):
            status, (said,) = pull(service, f"{registry.host}/box", "nope", **headers)
            assert (status, said["message"]) == (404, words)
        query = f"reference={registry.host}/box:nope"
        status, body = service.request("POST", f"/v5.0.0/libpod/images/pull?{query}")
        message = json.loads(body)["message"]
        assert (status, "Mirrors also failed: [127.0.0.1:1/box:nope: " in message) == (404, True)
        assert pull(service, f"{registry.host}/box", **auth(registry.host))[0] == 200
