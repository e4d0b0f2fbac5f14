"""`podman --remote` removes images that others are built upon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.image_archive import Entry, TestImage, busybox_layer, docker_archive, layer
from tests.support.podman import Podman
from tests.support.service import Service

BASE = TestImage((busybox_layer(Entry("base", b"1")),), ("localhost/base:1", "localhost/base:2"))
BUILT = TestImage((*BASE.layers, layer([Entry("built", b"2")])), ("localhost/built:1",))


@pytest.fixture(autouse=True)
def family(service: Service, podman: Podman) -> Iterator[None]:
    status, body = service.request("POST", "/images/load?quiet=1", docker_archive(BASE, BUILT))
    assert status == 200, body
    yield
    podman.ok("rmi", "-a", "-f")
    assert podman.ok("images", "-a", "-q") == ""


def test_all_images_go_at_once_whatever_their_names_and_children(podman: Podman) -> None:
    podman.ok("rmi", "-a")
    assert podman.ok("images", "-a", "-q") == ""


def test_an_image_that_another_is_built_upon_loses_its_names_alone(podman: Podman) -> None:
    said = podman.ok("rmi", "-f", BASE.id)
    assert sorted(said.splitlines()) == ["Untagged: localhost/base:1", "Untagged: localhost/base:2"]
    assert podman.ok("images", "-a", "-q", "--no-trunc") == f"sha256:{BUILT.id}"
    assert podman.ok("run", "--rm", "--network", "none", "localhost/built:1", "cat", "/base", "/built") == "12"


def test_a_parent_without_names_goes_with_its_last_child(podman: Podman) -> None:
    podman.ok("untag", "localhost/base:1")
    assert podman.ok("rmi", "localhost/built:1").splitlines()[:2] == [
        "Untagged: localhost/built:1",
        f"Deleted: {BUILT.id}",
    ]
    assert podman.ok("images", "-a", "-q", "--no-trunc", "--filter", f"id={BASE.id}") == ""
