"""What each kind of client is told of the same things, with the actions and names of Docker 28 and of Podman 5."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.image_archive import busybox_image, busybox_layer, docker_archive
from tests.support.registry import DockerRegistry, docker_registry
from tests.support.service import Service

Told = list[tuple[str, str, str]]
"""Action, id and name of each."""
ID = busybox_image().id
BOX = {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def events(service: Service, path: str, kind: str) -> Told:
    status, body = service.request("GET", f'{path}filters={{"type":["{kind}"]}}')
    assert status == 200, body
    found = [json.loads(line) for line in body.splitlines()]
    return [(each["Action"], each["Actor"]["ID"], each["Actor"]["Attributes"]["name"]) for each in found]


def to_docker(service: Service, kind: str) -> Told:
    return events(service, "/events?since=1&until=0s&", kind)


def to_podman(service: Service, kind: str) -> Told:
    return events(service, "/v5.0.0/libpod/events?stream=false&", kind)


def answered(service: Service, status: int, method: str, path: str, body: object = None) -> bytes:
    got, answer = service.request(method, path, body)
    assert got == status, answer
    return answer


def test_of_images(fresh_service: Service, registry: DockerRegistry) -> None:
    service, remote = fresh_service, f"{registry.host}/box"
    archive = docker_archive(busybox_image("busybox:latest"))
    answered(service, 200, "POST", "/images/load?quiet=1", archive)
    answered(service, 201, "POST", "/images/busybox/tag?repo=two&tag=x")
    answered(service, 200, "GET", "/images/two:x/get")
    answered(service, 200, "DELETE", "/images/two:x")
    imported = answered(service, 200, "POST", "/images/create?fromSrc=-&repo=made&tag=1", busybox_layer())
    made = json.loads(imported)["status"]
    answered(service, 200, "DELETE", "/images/made:1")
    answered(service, 201, "POST", f"/images/busybox/tag?repo={remote}&tag=1")
    answered(service, 200, "POST", f"/images/{remote}/push?tag=1")
    answered(service, 200, "DELETE", f"/images/{remote}:1")
    answered(service, 200, "POST", f"/images/create?fromImage={remote}&tag=1")
    image = f"sha256:{ID}"
    assert to_docker(service, "image")[1:] == [
        ("load", image, image),
        ("tag", image, "two:x"),
        ("save", image, image),
        ("untag", image, image),
        ("tag", made, "made:1"),
        ("import", made, made),
        ("untag", made, made),
        ("delete", made, made),
        ("tag", image, f"{remote}:1"),
        ("push", f"{remote}:1", remote),
        ("untag", image, image),
        ("pull", f"{remote}:1", remote),
    ]
    bare = made.removeprefix("sha256:")
    assert to_podman(service, "image")[1:] == [
        ("loadfromarchive", ID, image),
        ("tag", ID, "docker.io/library/two:x"),
        ("save", ID, image),
        ("untag", ID, "docker.io/library/two:x"),
        ("remove", ID, "docker.io/library/two:x"),
        ("tag", bare, "docker.io/library/made:1"),
        ("untag", bare, "docker.io/library/made:1"),
        ("remove", bare, "docker.io/library/made:1"),
        ("tag", ID, f"{remote}:1"),
        ("push", ID, f"{remote}:1"),
        ("untag", ID, f"{remote}:1"),
        ("remove", ID, f"{remote}:1"),
        ("pull", ID, f"{remote}:1"),
    ]


def test_of_containers(fresh_service: Service) -> None:
    service = fresh_service
    box = json.loads(answered(service, 201, "POST", "/containers/create?name=box", BOX))["Id"]
    answered(service, 204, "POST", "/containers/box/start")
    answered(service, 200, "GET", "/containers/box/top")
    answered(service, 200, "GET", "/v5.0.0/libpod/containers/box/top?stream=false")
    for words, status in ((["true"], 200), (["/nothing"], 400), (["sleep", "1000"], 200)):
        session = json.loads(answered(service, 201, "POST", "/containers/box/exec", {"Cmd": words}))["Id"]
        answered(service, status, "POST", f"/exec/{session}/start", {"Detach": True})
        if words == ["true"]:
            while json.loads(answered(service, 200, "GET", f"/exec/{session}/json"))["Running"]:
                pass
    answered(service, 204, "POST", "/containers/box/rename?name=crate")
    answered(service, 204, "POST", "/containers/crate/kill")
    answered(service, 200, "POST", "/containers/crate/wait")
    answered(service, 204, "DELETE", "/containers/crate")
    assert to_docker(service, "container") == [
        ("create", box, "box"),
        ("start", box, "box"),
        ("top", box, "box"),
        ("exec_create: true ", box, "box"),
        ("exec_start: true ", box, "box"),
        ("exec_die", box, "box"),
        ("exec_create: /nothing ", box, "box"),
        ("exec_start: /nothing ", box, "box"),
        ("exec_create: sleep 1000", box, "box"),
        ("exec_start: sleep 1000", box, "box"),
        ("rename", box, "crate"),
        ("kill", box, "crate"),
        ("exec_die", box, "crate"),
        ("die", box, "crate"),
        ("destroy", box, "crate"),
    ]
    assert to_podman(service, "container") == [
        ("create", box, "box"),
        ("init", box, "box"),
        ("start", box, "box"),
        ("exec", box, "box"),
        ("exec_died", box, "box"),
        ("exec", box, "box"),
        ("rename", box, "crate"),
        ("kill", box, "crate"),
        ("exec_died", box, "crate"),
        ("died", box, "crate"),
        ("remove", box, "crate"),
    ]
