"""Class 19: a registry that announces other sizes than it sends is refused, and the store is as before."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.integration.test_pull_bad_registry import BadRegistry, error_of, nothing_half_pulled
from tests.integration.test_pull_docker import pull
from tests.support.image_archive import Entry, TestImage, docker_archive, layer
from tests.support.outside import until
from tests.support.registry import INDEX_TYPE, MANIFEST_TYPE, image_manifest
from tests.support.service import Service

IMAGE = TestImage(tuple(layer([Entry(name, os.urandom(100_000))]) for name in "ab"))


@pytest.fixture
def bad() -> Iterator[BadRegistry]:
    """Its second layer is compressed."""
    registry = BadRegistry()
    registry.manifest = image_manifest(IMAGE, registry._put)
    sent = gzip.compress(IMAGE.layers[1])
    described = registry.manifest["layers"][1]
    described.update(digest=registry._put(sent), size=len(sent), mediaType=described["mediaType"] + "+gzip")
    yield registry
    registry.server.shutdown()
    registry.server.server_close()


@pytest.fixture
def own(make_service: Callable[..., Service]) -> Service:
    service = make_service("--idle-timeout", "0")
    service.start()
    return service


def described(bad: BadRegistry, what: str) -> dict[str, Any]:
    found: dict[str, Any] = {"plain": bad.manifest["layers"][0], "gzip": bad.manifest["layers"][1]}.get(
        what, bad.manifest["config"]
    )
    return found


def nothing_stored(service: Service) -> None:
    nothing_half_pulled(service)
    layers = service.root / "storage" / "overlay-layers" / "layers.json"
    until(lambda: not layers.exists() or json.loads(layers.read_bytes()) == [], "no layer is stored")


@pytest.mark.parametrize("more", [-7, 7])
@pytest.mark.parametrize("what", ["plain", "gzip", "config"])
def test_a_wrong_size_is_an_error_and_nothing_is_stored(own: Service, bad: BadRegistry, what: str, more: int) -> None:
    described(bad, what)["size"] += more
    said = error_of(pull(own, f"{bad.host}/box"))
    announced = f"{described(bad, what)['digest']} has {described(bad, what)['size'] - more} bytes"
    assert (announced if what != "config" else "size mismatch") in said
    nothing_stored(own)
    described(bad, what)["size"] -= more
    assert "Downloaded newer" in str(pull(own, f"{bad.host}/box")[1][-1].get("status"))


@pytest.mark.parametrize("what", ["plain", "gzip", "config"])
def test_a_wrong_size_of_what_is_here_already_changes_nothing(own: Service, bad: BadRegistry, what: str) -> None:
    pull(own, f"{bad.host}/box")
    before = own.request("GET", "/images/json?all=1")[1]
    described(bad, what)["size"] += 7
    assert described(bad, what)["digest"] in error_of(pull(own, f"{bad.host}/box", "other"))
    assert own.request("GET", "/images/json?all=1")[1] == before


def test_a_name_that_another_image_has_stays_with_it(own: Service, bad: BadRegistry) -> None:
    name = f"{bad.host}/box:latest"
    other = TestImage((layer([Entry("x", b"x")]),), (name,))
    assert own.request("POST", "/images/load?quiet=1", docker_archive(other))[0] == 200
    described(bad, "gzip")["size"] -= 1
    assert "bytes" in error_of(pull(own, f"{bad.host}/box"))
    (only,) = json.loads(own.request("GET", "/images/json?all=1")[1])
    assert (only["Id"], only["RepoTags"]) == (f"sha256:{other.id}", [name])


def make_unreadable(bad: BadRegistry) -> None:
    """Give it a configuration that skopeo takes and we do not."""
    config = json.loads(IMAGE.config_json) | {"config": {"Healthcheck": {"Interval": "5s"}}}
    data = json.dumps(config).encode()
    bad.manifest["config"].update(digest=bad._put(data), size=len(data))


def test_a_configuration_that_cannot_be_read_is_an_error_and_no_image_that_nobody_sees_is_left(
    own: Service, bad: BadRegistry
) -> None:
    make_unreadable(bad)
    assert "the image's configuration cannot be read" in error_of(pull(own, f"{bad.host}/box"))
    nothing_stored(own)
    name = f"{bad.host}/box:latest"
    other = TestImage((layer([Entry("x", b"x")]),), (name,))
    assert own.request("POST", "/images/load?quiet=1", docker_archive(other))[0] == 200
    assert "the image's configuration cannot be read" in error_of(pull(own, f"{bad.host}/box"))
    (only,) = json.loads((own.root / "storage" / "overlay-images" / "images.json").read_bytes())
    assert (only["id"], only["names"]) == (other.id, [name])


@pytest.mark.parametrize("lie", ["size", "configuration"])
@pytest.mark.parametrize("taken", [False, True])
def test_a_service_that_dies_before_it_has_compared_leaves_that_to_the_next(
    own: Service, bad: BadRegistry, taken: bool, lie: str
) -> None:
    name = f"{bad.host}/box:latest"
    other = TestImage((layer([Entry("x", b"x")]),), (name,))
    if taken:
        assert own.request("POST", "/images/load?quiet=1", docker_archive(other))[0] == 200
    before = own.request("GET", "/images/json?all=1")[1]
    if lie == "size":
        described(bad, "gzip")["size"] -= 1
    else:
        make_unreadable(bad)
    image_id = bad.manifest["config"]["digest"].removeprefix("sha256:")

    def stop_the_service_first(handler: Any, data: bytes) -> None:
        os.kill(own.pid, signal.SIGSTOP)
        handler.give(data)

    def pull_and_be_left() -> None:
        with suppress(OSError, http.client.HTTPException, ValueError):
            pull(own, f"{bad.host}/box")

    bad.slow_layer, bad.blob = described(bad, "gzip")["digest"], stop_the_service_first
    pulling = threading.Thread(target=pull_and_be_left)
    pulling.start()
    stored = own.root / "storage" / "overlay-images" / "images.json"
    until(lambda: stored.exists() and _holder(stored.read_bytes(), name) == image_id, "the image has come")
    own.kill()
    pulling.join()
    own.start()
    until(lambda: not list((own.root / "copies").iterdir()), "it was looked at")
    assert own.request("GET", "/images/json?all=1")[1] == before
    assert image_id.encode() not in stored.read_bytes()


def _holder(stored: bytes, name: str) -> str:
    return next((one["id"] for one in json.loads(stored) if name in (one.get("names") or ())), "")


@pytest.mark.parametrize("lie", ["size", "digest"])
def test_a_list_that_lies_about_its_image_is_400_and_no_blob_is_asked_for(
    own: Service, bad: BadRegistry, lie: str
) -> None:
    image = json.dumps(bad.manifest).encode()
    digest = "sha256:" + hashlib.sha256(image if lie == "size" else b"another").hexdigest()
    entry = {"mediaType": MANIFEST_TYPE, "digest": digest, "size": len(image) + (lie == "size")}
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [{**entry, "platform": {"os": "linux", "architecture": "amd64"}}],
    }
    bad.by_digest = {digest: image}
    bad.manifest = index
    status, (said,) = pull(own, f"{bad.host}/box")
    assert (status, digest in str(said["message"])) == (400, True), said
    assert not [path for path, _ in bad.seen if "/blobs/" in path]
    nothing_stored(own)
