"""Pulls by docker-py and podman-py, and by each policy of podman's clients."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from typing import Any

import docker as docker_py
import docker.errors as docker_errors
import podman as podman_py
import podman.errors as podman_errors
import pytest

from tests.integration.test_pull_configuration import libpod_pull
from tests.support.docker import Docker
from tests.support.image_archive import Entry, TestImage, busybox_image, busybox_layer
from tests.support.podman import Podman
from tests.support.registry import INDEX_TYPE, MANIFEST_TYPE, PASSWORD, USERNAME, DockerRegistry, docker_registry
from tests.support.service import Service

# Both libraries leave connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

NEWER = TestImage((busybox_layer(Entry("newer", b"1")),))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put_image("box", "latest", busybox_image())
        running.put_image("box", "2", NEWER)
        yield running


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("protected"), protected=True) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


@pytest.fixture
def docker_sdk(service: Service) -> Iterator[Any]:
    client = docker_py.DockerClient(base_url=service.host, version="auto", timeout=60)
    yield client
    client.close()
    gc.collect()  # while its warnings are still ignored


@pytest.fixture
def podman_sdk(service: Service) -> Iterator[Any]:
    client: Any = podman_py.PodmanClient(base_url=f"unix://{service.socket}", timeout=60)
    yield client
    client.close()
    gc.collect()


def test_docker_py_pulls_and_gets_the_image(docker_sdk: Any, registry: DockerRegistry) -> None:
    image = docker_sdk.images.pull(f"{registry.host}/box", tag="latest")
    assert (image.id, f"{registry.host}/box:latest" in image.tags) == (f"sha256:{busybox_image().id}", True)


def test_docker_py_reads_the_progress(docker_sdk: Any, registry: DockerRegistry) -> None:
    lines = list(docker_sdk.api.pull(f"{registry.host}/box", tag="2", stream=True, decode=True))
    assert {"Pulling fs layer", "Download complete", "Extracting", "Pull complete"} <= {
        line["status"] for line in lines if line.get("id")
    }


def test_docker_py_gets_all_tags_and_the_docker_command_as_well(
    docker_sdk: Any, docker: Docker, registry: DockerRegistry
) -> None:
    name = f"{registry.host}/all"
    registry.put_image("all", "1", busybox_image())
    registry.put_image("all", "2", NEWER)
    images = docker_sdk.images.pull(name, all_tags=True)
    assert sorted(tag for image in images for tag in image.tags if tag.startswith(f"{name}:")) == [
        f"{name}:1",
        f"{name}:2",
    ]
    registry.put_image("all", "3", busybox_image())
    said = docker.ok("pull", "--all-tags", name).splitlines()
    assert [line for line in said if line.endswith(": Pulling from all")] == [
        f"{tag}: Pulling from all" for tag in json.loads(registry.request("GET", "/v2/all/tags/list")[2])["tags"]
    ]
    assert f"Status: Downloaded newer image for {name}" in said
    docker.ok("image", "inspect", f"{name}:3")


def test_docker_is_told_of_a_repository_that_is_not_there_and_of_the_tag_that_fails(
    docker: Docker, registry: DockerRegistry
) -> None:
    missing = docker("pull", "-a", f"{registry.host}/nope")
    words = f"repository {registry.host}/nope not found: name unknown: repository name not known to registry"
    assert (missing.code, missing.stderr.strip()) == (1, f"Error response from daemon: {words}")
    digest = registry.put_image("half", "1", busybox_image())
    listed = {"digest": digest, "size": 1, "platform": {"os": "plan9", "architecture": "mips"}}
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [listed | {"mediaType": MANIFEST_TYPE}]}
    registry.put_manifest("half", "2", index)
    half = docker("pull", "-a", f"{registry.host}/half")
    assert (half.code, "no matching manifest for linux/" in half.stderr, "Status: " in half.stdout) == (1, True, False)


def test_docker_py_knows_what_is_missing_and_what_is_refused(
    docker_sdk: Any, registry: DockerRegistry, protected: DockerRegistry
) -> None:
    with pytest.raises(docker_errors.NotFound):
        docker_sdk.images.pull(f"{registry.host}/nope", tag="latest")
    with pytest.raises(docker_errors.APIError) as refused:
        docker_sdk.images.pull(f"{protected.host}/box", tag="latest")
    assert refused.value.status_code == 403
    credentials = {"username": USERNAME, "password": PASSWORD}
    docker_sdk.images.pull(f"{protected.host}/box", tag="latest", auth_config=credentials)


def test_docker_py_runs_what_has_to_be_pulled(docker_sdk: Any, registry: DockerRegistry) -> None:
    name = f"{registry.host}/run:1"
    registry.put_image("run", "1", busybox_image())
    assert docker_sdk.containers.run(name, ["echo", "pulled"], network_mode="none", remove=True) == b"pulled\n"


def test_podman_py_pulls_and_gets_the_image(podman_sdk: Any, registry: DockerRegistry) -> None:
    image = podman_sdk.images.pull(f"{registry.host}/box", tag="latest", tls_verify=False)
    assert image.id == busybox_image().id


def test_podman_py_knows_what_is_missing(podman_sdk: Any, registry: DockerRegistry) -> None:
    with pytest.raises(podman_errors.APIError) as missing:
        podman_sdk.images.pull(f"{registry.host}/nope", tag="latest", tls_verify=False)
    assert missing.value.status_code == 404


@pytest.fixture
def moving(service: Service, registry: DockerRegistry) -> Iterator[str]:
    """A name that means the first image here and the second one at the registry."""
    registry.put_image("moving", "latest", busybox_image())
    name = f"{registry.host}/moving"
    libpod_pull(service, f"reference={name}&tlsVerify=false")
    registry.put_image("moving", "latest", NEWER)
    yield name
    service.request("DELETE", f"/images/{name}?force=1")


@pytest.mark.parametrize(
    ("policy", "taken"),
    [("always", NEWER), ("newer", NEWER), ("missing", busybox_image()), ("never", busybox_image())],
)
def test_each_policy_takes_what_it_says(service: Service, moving: str, policy: str, taken: TestImage) -> None:
    status, lines = libpod_pull(service, f"reference={moving}&tlsVerify=false&policy={policy}")
    assert (status, lines[-1]["id"]) == (200, taken.id)


@pytest.mark.parametrize("policy", ["always", "newer", "missing"])
def test_all_but_never_take_what_is_missing(service: Service, registry: DockerRegistry, policy: str) -> None:
    registry.put_image(policy, "latest", busybox_image())
    status, lines = libpod_pull(service, f"reference={registry.host}/{policy}&tlsVerify=false&policy={policy}")
    assert (status, lines[-1]["id"]) == (200, busybox_image().id)


def test_never_does_not_take_what_is_missing(service: Service, registry: DockerRegistry) -> None:
    status, (said,) = libpod_pull(service, f"reference={registry.host}/nobody&tlsVerify=false&policy=never")
    assert (status, "nobody" in said["message"]) == (404, True)


def test_newer_fetches_no_layer_of_what_is_the_same(service: Service, registry: DockerRegistry) -> None:
    registry.put_image("same", "latest", busybox_image())
    name = f"{registry.host}/same"
    libpod_pull(service, f"reference={name}&tlsVerify=false")
    status, (only,) = libpod_pull(service, f"reference={name}&tlsVerify=false&policy=newer")
    assert (status, only) == (200, {"images": [busybox_image().id], "id": busybox_image().id})


@pytest.mark.parametrize(("policy", "newer"), [("always", True), ("newer", True), ("missing", False), ("never", False)])
def test_podman_run_pulls_by_its_policy(podman: Podman, moving: str, policy: str, newer: bool) -> None:
    command = ("run", "--rm", "--network", "none", "--tls-verify=false", f"--pull={policy}", moving)
    assert podman.ok(*command, "sh", "-c", "test -e /newer && echo new || echo old") == ("new" if newer else "old")


@pytest.mark.parametrize("policy", ["always", "missing", "never"])
def test_docker_run_pulls_by_its_policy(docker: Docker, moving: str, policy: str) -> None:
    command = ("run", "--rm", "--network", "none", f"--pull={policy}", moving)
    said = docker.ok(*command, "sh", "-c", "test -e /newer && echo new || echo old")
    assert said.splitlines()[-1] == ("new" if policy == "always" else "old")


def test_a_failed_pull_is_an_event_for_podman(service: Service, registry: DockerRegistry) -> None:
    libpod_pull(service, f"reference={registry.host}/gone&tlsVerify=false")
    _, body = service.request("GET", '/v5.0.0/libpod/events?stream=false&filters={"event":["pull-error"]}')
    attributes = json.loads(body.splitlines()[-1])["Actor"]["Attributes"]
    assert attributes["name"] == f"{registry.host}/gone"
    assert "manifest unknown" in attributes["error"]
