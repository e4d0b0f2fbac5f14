"""A pull leaves room on the disk for what containers need, and says that there is too little of it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.integration.test_pull_bad_registry import BadRegistry, error_of, nothing_half_pulled
from tests.integration.test_pull_docker import pull
from tests.support.image_archive import Entry, TestImage, layer
from tests.support.outside import until
from tests.support.registry import image_manifest
from tests.support.service import Service

MEBI = 1 << 20


@pytest.fixture
def narrow(make_service: Callable[..., Service]) -> Iterator[Service]:
    """A service whose root is on a file system of 120 MB."""
    service = make_service("--idle-timeout", "0")
    service.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m,mode=700", "tmpfs", str(service.root)], check=True)
    try:
        service.start()
        yield service
        assert service.terminate() == 0
    finally:
        service.discard()


@pytest.fixture
def registry() -> Iterator[BadRegistry]:
    made = BadRegistry()
    made.going.set()
    yield made
    made.server.shutdown()
    made.server.server_close()


def offer(registry: BadRegistry, content: bytes, *, compressed: bool = False) -> None:
    image = TestImage((layer([Entry("content", content)]),))
    registry.manifest = image_manifest(image, registry._put)
    if compressed:
        sent = gzip.compress(image.layers[0])
        described = registry.manifest["layers"][0]
        described.update(digest=registry._put(sent), size=len(sent), mediaType=described["mediaType"] + "+gzip")


def test_what_is_announced_to_be_too_large_is_not_fetched(narrow: Service, registry: BadRegistry) -> None:
    offer(registry, os.urandom(30 * MEBI))
    assert "no space left on device" in error_of(pull(narrow, f"{registry.host}/box"))
    assert not [path for path, _ in registry.seen if "/blobs/" in path]
    offer(registry, os.urandom(MEBI))
    assert "Downloaded newer" in str(pull(narrow, f"{registry.host}/box")[1][-1].get("status"))


def test_what_becomes_too_large_when_it_is_unpacked_is_an_error_and_goes(
    narrow: Service, registry: BadRegistry
) -> None:
    offer(registry, bytes(300 * MEBI), compressed=True)
    assert "no space left on device" in error_of(pull(narrow, f"{registry.host}/box"))
    nothing_half_pulled(narrow)
    layers = narrow.root / "storage" / "overlay-layers" / "layers.json"
    until(lambda: not layers.exists() or json.loads(layers.read_bytes()) == [], "no layer is stored")
    offer(registry, os.urandom(MEBI))
    assert "Downloaded newer" in str(pull(narrow, f"{registry.host}/box")[1][-1].get("status"))
