"""A pull or a load that is cut leaves no layer in the store, and none that others need is taken away."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_pull_bad_registry import BadRegistry, nothing_half_pulled, skopeos, slow_pull
from tests.integration.test_pull_docker import pull
from tests.support.image_archive import Entry, TestImage, docker_archive, layer, oci_archive, tar_of
from tests.support.outside import dead, until
from tests.support.registry import image_manifest
from tests.support.service import Service


def some_layers(count: int) -> tuple[bytes, ...]:
    return tuple(layer([Entry(f"data{number}", os.urandom(200_000))]) for number in range(count))


IMAGE = TestImage(some_layers(3))


@pytest.fixture(params=["plain", "gzip"])
def bad(request: pytest.FixtureRequest) -> Iterator[BadRegistry]:
    """One that sends the first half of the third layer; compressed layers have other digests than what is in them."""
    registry = BadRegistry()
    registry.manifest = image_manifest(IMAGE, registry._put)
    if request.param == "gzip":
        for described, data in zip(registry.manifest["layers"], IMAGE.layers, strict=True):
            sent = gzip.compress(data)
            described.update(digest=registry._put(sent), size=len(sent), mediaType=described["mediaType"] + "+gzip")
    registry.slow_layer = registry.manifest["layers"][2]["digest"]
    yield registry
    registry.going.set()
    registry.server.shutdown()
    registry.server.server_close()


@pytest.fixture
def own(make_service: Callable[..., Service]) -> Service:
    service = make_service("--idle-timeout", "0")
    service.start()
    return service


def layers(service: Service) -> list[dict[str, Any]]:
    with suppress(FileNotFoundError):
        found: list[dict[str, Any]] = json.loads(
            (service.root / "storage" / "overlay-layers" / "layers.json").read_bytes()
        )
        return found
    return []


def whole(service: Service) -> list[str]:
    return [one["id"] for one in layers(service) if not one.get("flags")]


def files_of_layers(service: Service) -> set[str]:
    """Everything in the store that is there for one layer."""
    storage = service.root / "storage"
    beside = {path.name for path in (storage / "overlay-layers").glob("*.tar-split.gz")}
    links = {path.name for path in (storage / "overlay" / "l").iterdir()}
    return beside | links | {path.name for path in (storage / "overlay").iterdir() if len(path.name) == 64}


def nothing_left(service: Service) -> None:
    until(lambda: not layers(service) and not list((service.root / "copies").iterdir()), "layers are removed")
    assert files_of_layers(service) == set()
    nothing_half_pulled(service)


def test_the_layers_of_a_pull_whose_client_leaves_are_removed(own: Service, bad: BadRegistry) -> None:
    with slow_pull(own, bad):
        until(lambda: len(whole(own)) == 2, "two layers are stored")
    nothing_left(own)


def test_the_layers_of_a_pull_whose_service_is_killed_are_removed_and_the_same_pull_works(
    own: Service, bad: BadRegistry
) -> None:
    with slow_pull(own, bad):
        until(lambda: len(whole(own)) == 2, "two layers are stored")
        with dead(own):
            assert len(whole(own)) == 2
        nothing_left(own)
    bad.going.set()
    bad.blob = lambda handler, data: handler.give(data)
    status, lines = pull(own, f"{bad.host}/box")
    assert (status, "Downloaded newer image" in str(lines[-1].get("status"))) == (200, True), lines
    assert len(whole(own)) == 3


def test_what_images_need_stays(own: Service, bad: BadRegistry) -> None:
    other = TestImage((IMAGE.layers[0], *some_layers(1)), ("other:latest",))
    assert own.request("POST", "/images/load?quiet=1", docker_archive(other))[0] == 200
    before = layers(own)
    with slow_pull(own, bad):
        until(lambda: len(whole(own)) == 3, "one more layer is stored")
    until(lambda: layers(own) == before, "that one is removed")
    assert json.loads(own.request("GET", "/images/json")[1])[0]["RepoTags"] == ["other:latest"]
    assert json.loads(own.request("GET", "/images/json?all=1")[1])[1:] == []


def test_an_image_that_a_clearing_up_was_killed_over_is_not_shown_and_goes(own: Service, tmp_path: Path) -> None:
    assert own.request("POST", "/images/load?quiet=1", docker_archive(TestImage(IMAGE.layers, ("box:1",))))[0] == 200
    buildah = ["buildah", "--root", f"{own.root}/storage", "--runroot", f"{own.runroot}/storage"]
    subprocess.run(
        [*buildah, "--storage-driver", "overlay", "tag", "box:1", "localhost/apiserver/orphaned:1"], check=True
    )
    subprocess.run([*buildah, "--storage-driver", "overlay", "rmi", "box:1"], check=True)
    assert len(layers(own)) == 3
    assert json.loads(own.request("GET", "/images/json?all=1")[1]) == []
    with dead(own):
        (own.root / "copies" / "1").touch()
    nothing_left(own)


def test_a_load_that_breaks_at_its_second_layer_leaves_nothing(own: Service) -> None:
    broken = "blobs/sha256/" + hashlib.sha256(IMAGE.layers[1]).hexdigest()
    archive = oci_archive(TestImage(IMAGE.layers, ("box:1",)))
    status, body = own.request("POST", "/images/load?quiet=1", replaced(archive, broken))
    assert (status, b"match" in body.lower()) == (400, True), body
    nothing_left(own)


def replaced(archive: bytes, path: str) -> bytes:
    """The archive with other bytes at a path, as many."""

    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        files = {name: file.read() for name, file in members.items() if file is not None}
    files[path] = layer([Entry("other", bytes(len(files[path]) - 10_240))]).ljust(len(files[path]), b"\0")
    return tar_of(files)


def test_a_load_whose_service_is_killed_ends_with_it_and_leaves_nothing_and_the_same_load_works(own: Service) -> None:
    many = layer([Entry(f"file{number}", b"x") for number in range(60_000)])
    archive = docker_archive(TestImage((IMAGE.layers[0], many), ("box:1",)))

    def load() -> None:
        with suppress(OSError):
            own.request("POST", "/images/load?quiet=1", archive)

    loading = threading.Thread(target=load)
    loading.start()
    until(lambda: whole(own), "a layer is stored")
    with dead(own):
        loading.join()
        until(lambda: not skopeos(own), "skopeo ends")
        assert len(whole(own)) == 1
    nothing_left(own)
    assert own.request("POST", "/images/load?quiet=1", archive)[0] == 200
    assert len(whole(own)) == 2


def test_of_a_load_of_several_images_whose_service_is_killed_those_stay_that_were_whole(own: Service) -> None:
    many = layer([Entry(f"file{number}", b"x") for number in range(20_000)])
    first = TestImage((IMAGE.layers[1],), ("first:1",))
    archive = docker_archive(first, TestImage((IMAGE.layers[0], many), ("second:1",)))

    def load() -> None:
        with suppress(OSError):
            own.request("POST", "/images/load?quiet=1", archive)

    loading = threading.Thread(target=load)
    loading.start()
    until(lambda: len(whole(own)) == 2, "the second image has a layer")
    with dead(own):
        loading.join()
        until(lambda: not skopeos(own), "skopeo ends")
    until(lambda: not list((own.root / "copies").iterdir()), "layers are removed")
    assert [image["RepoTags"] for image in json.loads(own.request("GET", "/images/json?all=1")[1])] == [["first:1"]]
    assert len(layers(own)) == 1
    assert own.request("POST", "/images/load?quiet=1", archive)[0] == 200
    assert len(whole(own)) == 3
