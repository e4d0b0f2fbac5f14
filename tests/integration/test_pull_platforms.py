"""Of a list of images the one for a platform is pulled, and what it is called by is the list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.integration.test_pull_configuration import libpod_pull
from tests.integration.test_pull_docker import pull
from tests.support.docker import Docker
from tests.support.image_archive import ARCHITECTURE, Entry, TestImage, busybox_layer, docker_archive, layer
from tests.support.podman import Podman
from tests.support.registry import INDEX_TYPE, MANIFEST_TYPE, DockerRegistry, docker_registry, image_manifest
from tests.support.service import Service

OWN = TestImage((busybox_layer(Entry("platform", b"own")),))
FOREIGN = TestImage((layer([Entry("platform", b"foreign")]),), top={"architecture": "s390x"})
V6, V7 = (
    TestImage((layer([Entry("platform", each.encode())]),), top={"architecture": "arm", "variant": each})
    for each in ("v6", "v7")
)


def put_list(registry: DockerRegistry, name: str, *images: TestImage) -> str:
    """Store a list with these images, in this order; answers its digest."""
    entries = []
    for image in images:
        manifest = image_manifest(image, lambda data: registry.put_blob(name, data))
        digest = registry.put_manifest(name, image.id[:12], manifest)
        platform = {"os": "linux", "architecture": ARCHITECTURE, **image.top}
        size = len(json.dumps(manifest).encode())
        entries.append({"mediaType": MANIFEST_TYPE, "digest": digest, "size": size, "platform": platform})
    return registry.put_manifest(name, "latest", {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        put_list(running, "several", FOREIGN, V6, V7, OWN)
        running.put_image("single", "latest", FOREIGN)
        yield running


@pytest.fixture
def own(make_service: Callable[..., Service]) -> Service:
    service = make_service("--idle-timeout", "0")
    service.start()
    return service


@pytest.fixture
def podman(own: Service, tmp_path_factory: pytest.TempPathFactory) -> Podman:
    return Podman(own.host, tmp_path_factory.mktemp("podman"))


def ids(service: Service) -> list[str]:
    return [image["Id"] for image in json.loads(service.request("GET", "/images/json")[1])]


def test_docker_gets_the_image_for_this_machine_and_the_digest_of_the_list(
    own: Service, registry: DockerRegistry, docker_for: Callable[[Service], Docker]
) -> None:
    digest = put_list(registry, "digests", FOREIGN, OWN)
    docker = docker_for(own)
    assert f"Digest: {digest}" in docker.ok("pull", f"{registry.host}/digests")
    assert ids(own) == [f"sha256:{OWN.id}"]
    by_digest = f"{registry.host}/digests@{digest}"
    docker.ok("pull", by_digest)
    assert docker.ok("run", "--rm", "--network", "none", by_digest, "cat", "/platform") == "own"


def repo_digests(service: Service, path: str) -> list[str]:
    shown = json.loads(service.request("GET", path)[1])
    digests: list[str] = shown["RepoDigests"]
    return digests


def test_docker_is_told_of_the_digests_at_registries_and_podman_of_each_manifest(
    own: Service, registry: DockerRegistry
) -> None:
    name = f"{registry.host}/told"
    digest = put_list(registry, "told", FOREIGN, OWN)
    assert own.request("POST", "/images/load?quiet=1", docker_archive(replace(OWN, names=("loaded:1",))))[0] == 200
    assert repo_digests(own, "/images/loaded:1/json") == []
    pull(own, name)
    own.restart()
    assert repo_digests(own, f"/images/{OWN.id}/json") == [f"{name}@{digest}"]
    assert json.loads(own.request("GET", "/images/json")[1])[0]["RepoDigests"] == [f"{name}@{digest}"]
    assert f"{name}@{digest}" in repo_digests(own, f"/v5.0.0/libpod/images/{OWN.id}/json")
    assert own.request("DELETE", f"/images/{name}")[0] == 200
    assert repo_digests(own, f"/images/{OWN.id}/json") == []


def test_a_push_makes_a_digest_known(own: Service, registry: DockerRegistry) -> None:
    name = f"{registry.host}/pushed"
    assert own.request("POST", "/images/load?quiet=1", docker_archive(replace(OWN, names=(f"{name}:1",))))[0] == 200
    _, body = own.request("POST", f"/images/{name}/push?tag=1")
    digest = json.loads(body.splitlines()[-1])["aux"]["Digest"]
    assert repo_digests(own, f"/images/{name}:1/json") == [f"{name}@{digest}"]


@pytest.mark.parametrize(
    ("platform", "image"),
    [("linux/s390x", FOREIGN), ("linux/arm/v6", V6), ("linux/arm", V7), ("linux/arm/v8", V7), ("linux/ppc64le", None)],
)
def test_another_platform_is_pulled_where_it_is_asked_for(
    own: Service, registry: DockerRegistry, platform: str, image: TestImage | None
) -> None:
    name = f"{registry.host}/several"
    status, lines = pull(own, name, f"latest&platform={platform}")
    system, architecture, variant = (*platform.split("/"), "")[:3]
    query = f"reference={name}&tlsVerify=false&OS={system}&Arch={architecture}&Variant={variant}"
    podman_status, podman_lines = libpod_pull(own, query)
    if image is None:
        words = f"no matching manifest for {platform} in the manifest list entries"
        assert (status, lines[-1]["message"], podman_status, ids(own)) == (400, words, 400, [])
    else:
        assert ("Downloaded newer" in str(lines[-1]), podman_lines[-1]["id"]) == (True, image.id)
        assert ids(own) == [f"sha256:{image.id}"]


def test_an_image_without_a_list_that_is_for_another_platform_is_pulled_and_docker_is_told(
    own: Service, registry: DockerRegistry, docker_for: Callable[[Service], Docker]
) -> None:
    said = docker_for(own)("pull", "--platform", "linux/arm64", f"{registry.host}/single")
    words = "was found but does not match the specified platform: wanted linux/arm64, actual: linux/s390x"
    assert (said.code, words in said.stderr) == (1, True)
    assert ids(own) == [f"sha256:{FOREIGN.id}"]
    _, lines = pull(own, f"{registry.host}/single", "latest&platform=linux/s390x")
    assert not any("error" in line for line in lines)


def test_podman_pulls_the_platform_that_it_asks_for_where_another_is_here(
    own: Service, registry: DockerRegistry, podman: Podman
) -> None:
    name = f"{registry.host}/several"
    assert podman.ok("run", "--rm", "--network", "none", "--tls-verify=false", name, "cat", "/platform") == "own"
    said = podman("create", "--network", "none", "--pull=never", "--arch", "arm", "--variant", "v6", name, "true")
    assert (said.code, "image not known" in said.stderr) == (125, True)
    for image, platform in ((V6, ("--arch", "arm", "--variant", "v6")), (FOREIGN, ("--arch", "s390x"))):
        made = podman.ok("create", "--network", "none", "--tls-verify=false", *platform, name, "true")
        assert podman.ok("inspect", "--format", "{{.Image}}", made.splitlines()[-1]) == image.id
    own_again = ("--network", "none", "--tls-verify=false", "--arch", ARCHITECTURE, name, "cat", "/platform")
    assert podman.ok("run", "--rm", *own_again).splitlines()[-1] == "own"
    single = f"{registry.host}/single"
    told = podman("create", "--network", "none", "--tls-verify=false", "--arch", "arm64", single, "true")
    mismatch = "WARNING: image platform (linux/s390x) does not match the expected platform (linux/arm64)"
    assert (told.code, mismatch in told.stderr) == (0, True)
    own.remove_containers()


def test_one_that_podman_asked_a_platform_for_is_made_of_what_is_here(own: Service) -> None:
    assert own.request("POST", "/images/load?quiet=1", docker_archive(replace(FOREIGN, names=("single:1",))))[0] == 200
    create = "/v5.0.0/libpod/containers/create"
    body = {"image": "single:1", "command": ["true"], "image_arch": "arm64", "netns": {"nsmode": "none"}}
    status, made = own.request("POST", create, body)
    assert (status, json.loads(made)["Warnings"]) == (201, [])
    own.remove_containers()


def test_podman_runs_the_image_of_a_list_by_the_lists_digest(
    own: Service, registry: DockerRegistry, podman: Podman
) -> None:
    digest = put_list(registry, "podman", FOREIGN, OWN)
    name = f"{registry.host}/podman:any@{digest}"
    assert podman.ok("run", "--rm", "--network", "none", "--tls-verify=false", name, "cat", "/platform") == "own"
    assert podman.ok("image", "exists", name) == ""
