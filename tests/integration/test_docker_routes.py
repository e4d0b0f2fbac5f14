"""Every route that is served answers on the real service; a new one needs its row here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apiserver.daemon.assembly import served_routes
from tests.support.image_archive import busybox_image, busybox_layer, docker_archive
from tests.support.service import Service

BOX: dict[str, Any] = {"Image": "busybox", "Cmd": ["sleep", "100"], "HostConfig": {"NetworkMode": "none"}}
NOTHING: Any = None

# (method, template) -> path, body, status; in an order in which each can succeed. `box` runs.
ROWS: dict[tuple[str, str], tuple[str, Any, int]] = {
    ("GET", "/_ping"): ("/_ping", NOTHING, 200),
    ("HEAD", "/_ping"): ("/_ping", NOTHING, 200),
    ("GET", "/libpod/_ping"): ("/libpod/_ping", NOTHING, 200),
    ("HEAD", "/libpod/_ping"): ("/libpod/_ping", NOTHING, 200),
    ("GET", "/version"): ("/version", NOTHING, 200),
    ("GET", "/info"): ("/info", NOTHING, 200),
    ("GET", "/libpod/version"): ("/v5.0.0/libpod/version", NOTHING, 200),
    ("GET", "/libpod/info"): ("/v5.0.0/libpod/info", NOTHING, 200),
    ("GET", "/libpod/events"): ("/v5.0.0/libpod/events?stream=false", NOTHING, 200),
    ("*", "/monitor"): ("/monitor", NOTHING, 404),
    ("GET", "/events"): ("/events?since=1&until=2", NOTHING, 200),
    ("GET", "/networks"): ("/networks", NOTHING, 200),
    ("GET", "/networks/{name}"): ("/networks/bridge", NOTHING, 200),
    ("DELETE", "/networks/{name}"): ("/networks/bridge", NOTHING, 403),
    ("DELETE", "/libpod/networks/{name}"): ("/v5.0.0/libpod/networks/nope", NOTHING, 404),
    ("POST", "/volumes/create"): ("/volumes/create", {"Name": "routes"}, 201),
    ("GET", "/volumes"): ("/volumes", NOTHING, 200),
    ("GET", "/volumes/{name}"): ("/volumes/routes", NOTHING, 200),
    ("DELETE", "/volumes/{name}"): ("/volumes/routes", NOTHING, 204),
    ("GET", "/libpod/networks/json"): ("/v5.0.0/libpod/networks/json", NOTHING, 200),
    ("GET", "/libpod/networks/{name}"): ("/v5.0.0/libpod/networks/podman", NOTHING, 200),
    ("GET", "/libpod/networks/{name}/json"): ("/v5.0.0/libpod/networks/podman/json", NOTHING, 200),
    ("GET", "/libpod/networks/{name}/exists"): ("/v5.0.0/libpod/networks/podman/exists", NOTHING, 204),
    ("GET", "/libpod/pods/json"): ("/v5.0.0/libpod/pods/json", NOTHING, 200),
    ("GET", "/libpod/pods/{name}/json"): ("/v5.0.0/libpod/pods/nope/json", NOTHING, 404),
    ("GET", "/libpod/pods/{name}/exists"): ("/v5.0.0/libpod/pods/nope/exists", NOTHING, 404),
    ("POST", "/libpod/volumes/create"): ("/v5.0.0/libpod/volumes/create", {"Name": "pod"}, 201),
    ("GET", "/libpod/volumes/json"): ("/v5.0.0/libpod/volumes/json", NOTHING, 200),
    ("GET", "/libpod/volumes/{name}/json"): ("/v5.0.0/libpod/volumes/pod/json", NOTHING, 200),
    ("GET", "/libpod/volumes/{name}/exists"): ("/v5.0.0/libpod/volumes/pod/exists", NOTHING, 204),
    ("DELETE", "/libpod/volumes/{name}"): ("/v5.0.0/libpod/volumes/pod", NOTHING, 204),
    ("POST", "/images/load"): ("/images/load", docker_archive(busybox_image("loaded:1")), 200),
    ("POST", "/images/create"): ("/images/create?fromSrc=-&repo=imported", busybox_layer(), 200),
    ("GET", "/images/json"): ("/images/json", NOTHING, 200),
    ("GET", "/images/{name}/json"): ("/images/imported/json", NOTHING, 200),
    ("GET", "/images/{name}/history"): ("/images/imported/history", NOTHING, 200),
    ("POST", "/images/{name}/tag"): ("/images/imported/tag?repo=again", NOTHING, 201),
    ("DELETE", "/images/{name}"): ("/images/again", NOTHING, 200),
    ("POST", "/libpod/images/load"): ("/v5.0.0/libpod/images/load", docker_archive(busybox_image("loaded:2")), 200),
    ("POST", "/libpod/images/import"): ("/v5.0.0/libpod/images/import?reference=layer", busybox_layer(), 200),
    ("POST", "/libpod/images/pull"): ("/v5.0.0/libpod/images/pull?reference=layer&policy=missing", NOTHING, 200),
    ("POST", "/images/{name}/push"): ("/images/nope/push?tag=1", NOTHING, 404),
    ("POST", "/libpod/images/{name}/push"): ("/v5.0.0/libpod/images/nope/push", NOTHING, 404),
    ("POST", "/auth"): ("/auth", {}, 400),
    ("GET", "/images/get"): ("/images/get?names=imported", NOTHING, 200),
    ("GET", "/images/{name}/get"): ("/images/imported/get", NOTHING, 200),
    ("GET", "/libpod/images/{name}/get"): ("/v5.0.0/libpod/images/layer/get", NOTHING, 200),
    ("GET", "/libpod/images/export"): ("/v5.0.0/libpod/images/export?references=layer", NOTHING, 200),
    ("GET", "/libpod/images/json"): ("/v5.0.0/libpod/images/json", NOTHING, 200),
    ("GET", "/libpod/images/{name}/json"): ("/v5.0.0/libpod/images/layer/json", NOTHING, 200),
    ("GET", "/libpod/images/{name}/exists"): ("/v5.0.0/libpod/images/layer/exists", NOTHING, 204),
    ("GET", "/libpod/images/{name}/history"): ("/v5.0.0/libpod/images/layer/history", NOTHING, 200),
    ("POST", "/libpod/images/{name}/tag"): ("/v5.0.0/libpod/images/layer/tag?repo=more&tag=1", NOTHING, 201),
    ("POST", "/libpod/images/{name}/untag"): ("/v5.0.0/libpod/images/layer/untag?repo=more&tag=1", NOTHING, 201),
    ("DELETE", "/libpod/images/{name}"): ("/v5.0.0/libpod/images/layer", NOTHING, 200),
    ("DELETE", "/libpod/images/remove"): ("/v5.0.0/libpod/images/remove?images=gone", NOTHING, 200),
    ("POST", "/containers/create"): ("/containers/create?name=other", BOX, 201),
    ("POST", "/libpod/containers/create"): ("/v5.0.0/libpod/containers/create", {"image": "busybox"}, 201),
    ("POST", "/containers/{name}/rename"): ("/containers/other/rename?name=another", NOTHING, 204),
    ("POST", "/libpod/containers/{name}/rename"): (
        "/v5.0.0/libpod/containers/another/rename?name=other",
        NOTHING,
        204,
    ),
    ("POST", "/containers/{name}/start"): ("/containers/other/start", NOTHING, 204),
    ("POST", "/containers/{name}/kill"): ("/containers/other/kill", NOTHING, 204),
    ("POST", "/containers/{name}/wait"): ("/containers/other/wait", NOTHING, 200),
    ("POST", "/containers/{name}/restart"): ("/containers/other/restart?t=0", NOTHING, 204),
    ("POST", "/containers/{name}/stop"): ("/containers/other/stop?t=0", NOTHING, 204),
    ("GET", "/containers/{name}/logs"): ("/containers/other/logs?stdout=1", NOTHING, 200),
    ("GET", "/libpod/containers/json"): ("/v5.0.0/libpod/containers/json", NOTHING, 200),
    ("GET", "/libpod/containers/{name}/json"): ("/v5.0.0/libpod/containers/other/json", NOTHING, 200),
    ("GET", "/libpod/containers/{name}/exists"): ("/v5.0.0/libpod/containers/other/exists", NOTHING, 204),
    ("POST", "/libpod/containers/{name}/init"): ("/v5.0.0/libpod/containers/other/init", NOTHING, 204),
    ("POST", "/libpod/containers/{name}/start"): ("/v5.0.0/libpod/containers/other/start", NOTHING, 204),
    ("POST", "/libpod/containers/{name}/kill"): ("/v5.0.0/libpod/containers/other/kill", NOTHING, 204),
    ("POST", "/libpod/containers/{name}/wait"): ("/v5.0.0/libpod/containers/other/wait", NOTHING, 200),
    ("POST", "/libpod/containers/{name}/restart"): ("/v5.0.0/libpod/containers/other/restart?timeout=0", NOTHING, 204),
    ("POST", "/libpod/containers/{name}/stop"): ("/v5.0.0/libpod/containers/other/stop?timeout=0", NOTHING, 204),
    ("GET", "/libpod/containers/{name}/logs"): ("/v5.0.0/libpod/containers/other/logs?stdout=true", NOTHING, 200),
    ("DELETE", "/containers/{name}"): ("/containers/other", NOTHING, 204),
    ("DELETE", "/libpod/containers/{name}"): ("/v5.0.0/libpod/containers/gone?ignore=true", NOTHING, 200),
    ("GET", "/containers/json"): ("/containers/json", NOTHING, 200),
    ("GET", "/containers/{name}/json"): ("/containers/box/json", NOTHING, 200),
    ("POST", "/containers/{name}/attach"): ("/containers/box/attach?logs=1&stdout=1", NOTHING, 200),
    ("GET", "/containers/{name}/top"): ("/containers/box/top", NOTHING, 200),
    ("GET", "/libpod/containers/{name}/top"): ("/v5.0.0/libpod/containers/box/top", NOTHING, 200),
    ("POST", "/containers/{name}/resize"): ("/containers/box/resize?h=10&w=20", NOTHING, 200),
    ("POST", "/libpod/containers/{name}/attach"): (
        "/v5.0.0/libpod/containers/box/attach?logs=true&stream=false&stdout=true",
        NOTHING,
        200,
    ),
    ("POST", "/libpod/containers/{name}/resize"): ("/v5.0.0/libpod/containers/box/resize?h=10&w=20", NOTHING, 200),
    ("POST", "/containers/{name}/exec"): ("/containers/box/exec", {"Cmd": ["true"]}, 201),
    ("POST", "/exec/{id}/start"): ("/exec/{exec}/start", {"Detach": True}, 200),
    ("GET", "/exec/{id}/json"): ("/exec/{exec}/json", NOTHING, 200),
    ("POST", "/exec/{id}/resize"): ("/exec/nope/resize?h=1&w=1", NOTHING, 404),
    ("POST", "/libpod/containers/{name}/exec"): ("/v5.0.0/libpod/containers/box/exec", {"Cmd": ["true"]}, 201),
    ("POST", "/libpod/exec/{id}/start"): ("/v5.0.0/libpod/exec/{exec}/start", {"Detach": True}, 409),
    ("GET", "/libpod/exec/{id}/json"): ("/v5.0.0/libpod/exec/{exec}/json", NOTHING, 200),
    ("POST", "/libpod/exec/{id}/resize"): ("/v5.0.0/libpod/exec/{exec}/resize?h=1&w=1&running=true", NOTHING, 201),
    ("POST", "/libpod/exec/{id}/remove"): ("/v5.0.0/libpod/exec/{exec}/remove", {"Force": True}, 200),
}


def rows() -> dict[tuple[str, str], tuple[str, Any, int]]:
    """With those of swarm, which are all 503."""
    swarm = {
        (method, path): (re.sub(r"\{\w+\}", "x", path) + ("x" if path.endswith("/") else ""), NOTHING, 503)
        for method, path, group in served_routes()
        if group == "swarm"
    }
    return ROWS | swarm


@pytest.fixture
def box(service: Service) -> Iterator[str]:
    """An exec session in a container that runs."""
    assert service.request("POST", "/containers/create?name=box", BOX | {"Tty": True})[0] == 201
    assert service.request("POST", "/containers/box/start")[0] == 204
    status, body = service.request("POST", "/containers/box/exec", {"Cmd": ["true"]})
    assert status == 201
    yield body.split(b'"')[3].decode()
    service.remove_containers()


def test_each_served_route_has_a_row() -> None:
    assert {(method, path) for method, path, _ in served_routes()} == rows().keys()


def test_each_served_route_answers(service: Service, box: str) -> None:
    wrong = []
    for (method, _), (path, body, status) in rows().items():
        got, answer = service.request("PUT" if method == "*" else method, path.replace("{exec}", box), body)
        if got != status:
            wrong.append((method, path, got, answer))
    assert wrong == []


def test_listing_is_whole_while_others_create_and_remove(service: Service) -> None:
    def come_and_go(number: int) -> None:
        for turn in range(10):
            name = f"busy{number}x{turn}"
            assert service.request("POST", f"/containers/create?name={name}", BOX)[0] == 201
            assert service.request("POST", f"/containers/{name}/start")[0] == 204
            assert service.request("DELETE", f"/containers/{name}?force=1")[0] == 204

    with ThreadPoolExecutor(6) as pool:
        working = [pool.submit(come_and_go, number) for number in range(5)]
        while not all(each.done() for each in working):
            assert service.request("GET", "/containers/json?all=1")[0] == 200
            assert service.request("GET", "/networks")[0] == 200
        for each in working:
            each.result()
    assert service.containers() == []
