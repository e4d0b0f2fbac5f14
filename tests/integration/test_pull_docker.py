"""The docker CLI pulls from a real registry."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.image_archive import Entry, TestImage, busybox_image, docker_archive, layer
from tests.support.registry import PASSWORD, USERNAME, DockerRegistry, docker_registry, image_manifest
from tests.support.service import Service, UnixConnection


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("protected"), protected=True) as running:
        running.put_image("box", "latest", busybox_image(Cmd=["true"]))
        yield running


def pull(service: Service, name: str, tag: str = "latest", **headers: str) -> tuple[int, list[dict[str, object]]]:
    """Status and records of one pull."""
    connection = UnixConnection(service.socket)
    try:
        connection.request("POST", f"/v1.44/images/create?fromImage={name}&tag={tag}", headers=headers)
        answer = connection.getresponse()
        return answer.status, [json.loads(line) for line in answer.read().splitlines()]
    finally:
        connection.close()


def test_docker_pulls_draws_layers_and_says_what_came(
    service: Service, docker: Docker, registry: DockerRegistry
) -> None:
    digest = registry.put_image("lines", "1", TestImage((layer([Entry("one", b"1" * 5000)]),)))
    said = docker.ok("pull", f"{registry.host}/lines:1")
    assert f"Digest: {digest}" in said
    assert f"Status: Downloaded newer image for {registry.host}/lines:1" in said
    assert "Pull complete" in said
    _, again = pull(service, f"{registry.host}/lines", "1")
    assert [line["status"] for line in again] == [
        "Pulling from lines",
        f"Digest: {digest}",
        f"Status: Image is up to date for {registry.host}/lines:1",
    ]


def test_docker_hears_that_a_layer_of_another_image_is_here_and_no_more_of_it(
    service: Service, registry: DockerRegistry
) -> None:
    base, top = layer([Entry("base", b"b" * 5000)]), layer([Entry("top", b"t" * 5000)])
    registry.put_image("base", "1", TestImage((base,)))
    registry.put_image("both", "1", TestImage((base, top)))
    pull(service, f"{registry.host}/base", "1")
    _, said = pull(service, f"{registry.host}/both", "1")
    base_id, top_id = (hashlib.sha256(each).hexdigest()[:12] for each in (base, top))
    assert [line["status"] for line in said if line.get("id") == base_id] == ["Already exists"]
    assert [line["status"] for line in said if line.get("id") == top_id][-1] == "Pull complete"


def test_docker_hears_that_a_layer_is_here_which_came_uncompressed(
    service: Service, docker: Docker, registry: DockerRegistry
) -> None:
    base, top = layer([Entry("loaded", b"l" * 5000)]), layer([Entry("pulled", b"p" * 5000)])
    docker.ok("load", input=docker_archive(TestImage((base,), (f"{registry.host}/loaded:1",))))
    docker.ok("push", f"{registry.host}/loaded:1")
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    (compressed,) = json.loads(registry.request("GET", "/v2/loaded/manifests/1", headers=accept)[2])["layers"]
    manifest = image_manifest(TestImage((base, top)), lambda data: registry.put_blob("loaded", data))
    compressed["mediaType"] = f"{manifest['layers'][0]['mediaType']}+gzip"
    manifest["layers"][0] = compressed
    registry.put_manifest("loaded", "2", manifest)
    _, said = pull(service, f"{registry.host}/loaded", "2")
    about = [line["status"] for line in said if line.get("id") == compressed["digest"].partition(":")[2][:12]]
    assert (about[-1], set(about)) == ("Already exists", {"Already exists"} | ({"Pulling fs layer"} & set(about)))


def test_docker_runs_an_image_that_has_to_be_pulled(docker: Docker, registry: DockerRegistry) -> None:
    assert docker.ok("run", "--rm", f"{registry.host}/box", "echo", "pulled") == "pulled"


def test_an_unknown_image_is_a_404_before_any_progress(service: Service, registry: DockerRegistry) -> None:
    status, (said,) = pull(service, f"{registry.host}/box", "nope")
    assert status == 404
    assert str(said["message"]).startswith(f"manifest for {registry.host}/box:nope not found: manifest unknown")


def test_a_registry_that_is_not_there_is_an_error_with_its_reason(service: Service) -> None:
    status, (said,) = pull(service, "127.0.0.1:1/box")
    assert (status, "connection refused" in str(said["message"])) == (500, True)


def test_without_credentials_it_is_403_with_the_registrys_reason(service: Service, protected: DockerRegistry) -> None:
    status, (said,) = pull(service, f"{protected.host}/box")
    assert (status, "unauthorized: authentication required" in str(said["message"])) == (403, True)


def test_credentials_of_the_request_open_the_registry(service: Service, protected: DockerRegistry) -> None:
    status, said = pull(service, f"{protected.host}/box", **auth(protected.host))
    assert (status, "Downloaded newer image" in str(said[-1]["status"])) == (200, True)


def test_credentials_for_another_registry_are_not_sent(service: Service, protected: DockerRegistry) -> None:
    assert pull(service, f"{protected.host}/box", **auth("elsewhere.example"))[0] == 403


@pytest.mark.parametrize("name", ["UPPER", "a//b", "box:a:b", "-x", ""])
def test_a_malformed_reference_is_400(service: Service, name: str) -> None:
    assert pull(service, name)[0] == 400


def test_malformed_credentials_are_none_to_docker_and_400_to_podman(
    service: Service, registry: DockerRegistry, protected: DockerRegistry
) -> None:
    malformed = {"X-Registry-Auth": "%%%"}
    assert pull(service, f"{registry.host}/box", **malformed)[0] == 200
    assert pull(service, f"{protected.host}/box", **malformed)[0] == 403
    connection = UnixConnection(service.socket)
    try:
        path = f"/v5.0.0/libpod/images/pull?reference={registry.host}/box&tlsVerify=false"
        connection.request("POST", path, headers=malformed)
        assert connection.getresponse().status == 400
    finally:
        connection.close()


def auth(host: str) -> dict[str, str]:
    value = {"username": USERNAME, "password": PASSWORD, "serveraddress": host}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(value).encode()).decode()}


def test_nothing_of_a_pull_stays_outside_of_the_store(service: Service, registry: DockerRegistry) -> None:
    pull(service, f"{registry.host}/box")
    assert list(Path(service.root, "tmp").iterdir()) == []
