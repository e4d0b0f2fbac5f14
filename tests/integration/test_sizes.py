"""What containers take on the disk, as the users of both clients see it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.docker import Docker
from tests.support.podman import Podman
from tests.support.service import Service

MEGABYTE = 1 << 20


@pytest.fixture(autouse=True)
def clean(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def image_bytes(docker: Docker) -> int:
    return int(docker.ok("image", "inspect", "--format", "{{.Size}}", "busybox"))


def test_what_a_container_wrote_is_shown_with_its_image(docker: Docker, podman: Podman) -> None:
    docker.ok("run", "--name", "box", "--network", "none", "busybox", "dd", "if=/dev/zero", "of=/f", "bs=1M", "count=1")
    docker.ok("create", "--name", "idle", "--network", "none", "busybox")
    shown = dict(line.split(" ", 1) for line in docker.ok("ps", "-as", "--format", "{{.Names}} {{.Size}}").splitlines())
    assert shown["box"].startswith("1.05MB (virtual ")
    assert shown["idle"].startswith("0B (virtual ")
    inspected = json.loads(docker.ok("inspect", "-s", "box"))[0]
    assert (inspected["SizeRw"], inspected["SizeRootFs"]) == (MEGABYTE, MEGABYTE + image_bytes(docker))
    assert "SizeRw" not in json.loads(docker.ok("inspect", "box"))[0]

    shown = dict(line.split(" ", 1) for line in podman.ok("ps", "-as", "--format", "{{.Names}} {{.Size}}").splitlines())
    assert shown["box"].startswith("1.05MB (virtual ")
    assert shown["idle"].startswith("0B (virtual ")
    inspected = json.loads(podman.ok("inspect", "-s", "box"))[0]
    assert (inspected["SizeRw"], inspected["SizeRootFs"]) == (MEGABYTE, image_bytes(docker))


def test_what_is_removed_in_a_container_leaves_its_image_size_as_it_was(docker: Docker) -> None:
    docker.ok("run", "--name", "box", "--network", "none", "busybox", "sh", "-c", "rm -r /bin; echo 1234 >/f")
    (shown,) = json.loads(docker.ok("inspect", "-s", "box"))
    assert (shown["SizeRw"], shown["SizeRootFs"]) == (5, 5 + image_bytes(docker))


def test_a_running_container_is_counted_while_it_writes_and_removes(docker: Docker) -> None:
    loop = "while :; do mkdir -p /a/b/c; echo x >/a/b/c/d; rm -r /a; done"
    docker.ok("run", "-d", "--name", "box", "--network", "none", "busybox", "sh", "-c", loop)
    for _ in range(10):
        assert docker.ok("ps", "-s", "--format", "{{.Size}}").split("B ")[0] in ("0", "2")
