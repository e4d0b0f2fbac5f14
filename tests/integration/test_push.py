"""The docker and podman commands log in and push to real registries."""

from __future__ import annotations

import http.server
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.test_pull_docker import auth
from tests.support.docker import Docker
from tests.support.image_archive import Entry, TestImage, busybox_image, docker_archive, layer
from tests.support.podman import Podman
from tests.support.registry import PASSWORD, USERNAME, DockerRegistry, docker_registry
from tests.support.service import Service, UnixConnection

ACCEPT = {"Accept": "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("protected"), protected=True) as running:
        yield running


@pytest.fixture(scope="module")
def behind_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("tls"), tls=True) as running:
        yield running


def push(service: Service, path: str, **headers: str) -> tuple[int, list[dict[str, object]]]:
    """Status and records of one push."""
    connection = UnixConnection(service.socket)
    try:
        connection.request("POST", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, [json.loads(line) for line in answer.read().splitlines()]
    finally:
        connection.close()


def test_docker_pushes_and_what_was_pushed_can_be_pulled(docker: Docker, registry: DockerRegistry) -> None:
    name = f"{registry.host}/docker:1"
    docker.ok("tag", "busybox", name)
    said = docker.ok("push", name)
    assert f"The push refers to repository [{registry.host}/docker]" in said
    _, headers, _ = registry.request("GET", "/v2/docker/manifests/1", headers=ACCEPT)
    assert f"1: digest: {headers['docker-content-digest']} size: {headers['content-length']}" in said
    gone = [f"Untagged: {name}", f"Untagged: {registry.host}/docker@{headers['docker-content-digest']}"]
    assert docker.ok("rmi", name).splitlines() == gone
    docker.ok("pull", name)
    assert docker.ok("run", "--rm", "--network", "none", name, "echo", "came back") == "came back"


def test_docker_hears_of_layers_that_need_not_be_pushed(
    service: Service, docker: Docker, registry: DockerRegistry
) -> None:
    base, top = layer([Entry("base", b"b")]), layer([Entry("top", b"t")])
    docker.ok("load", input=docker_archive(TestImage((base,), ("base:1",)), TestImage((base, top), ("both:1",))))

    def statuses(image: str, name: str) -> list[object]:
        assert service.request("POST", f"/images/{image}/tag?repo={registry.host}/{name}&tag=1")[0] == 201
        said = push(service, f"/images/{registry.host}/{name}/push?tag=1")[1]
        return [line["status"] for line in said if "id" in line and line["status"] not in ("Preparing", "Pushing")]

    assert statuses("base:1", "layers") == ["Pushed"]
    assert statuses("both:1", "layers") == ["Layer already exists", "Pushed"]
    assert statuses("both:1", "layers") == ["Layer already exists"] * 2
    assert statuses("both:1", "elsewhere") == ["Mounted from layers"] * 2


def test_docker_pushes_all_tags_of_a_repository(docker: Docker, registry: DockerRegistry) -> None:
    repository = f"{registry.host}/all"
    for tag in ("1", "2"):
        docker.ok("tag", "busybox", f"{repository}:{tag}")
    docker.ok("tag", "busybox", f"{repository}-others:1")
    said = docker.ok("push", "--all-tags", repository)
    assert (said.count("The push refers to"), said.count("digest: sha256:")) == (1, 2)
    assert (registry.names("all"), registry.names("all-others")) == (["1", "2"], [])
    missing = docker("push", "--all-tags", f"{registry.host}/nothing")
    assert (missing.code, "An image does not exist locally with the tag" in missing.stderr) == (1, True)


def test_podman_pushes_to_another_name(podman: Podman, registry: DockerRegistry) -> None:
    podman.ok("push", "--tls-verify=false", "busybox", f"docker://{registry.host}/podman:2")
    assert registry.names("podman") == ["2"]


def test_the_digest_and_the_event_of_a_push(service: Service, docker: Docker, registry: DockerRegistry) -> None:
    query = f"destination={registry.host}/digest:1&tlsVerify=false&quiet=false"
    status, said = push(service, f"/v5.0.0/libpod/images/docker.io/library/busybox:latest/push?{query}")
    _, headers, _ = registry.request("GET", "/v2/digest/manifests/1", headers=ACCEPT)
    assert (status, said[-1]) == (200, {"manifestdigest": headers["docker-content-digest"]})
    events = docker.ok(
        "events",
        "--since",
        "1m",
        "--until",
        str(int(time.time()) + 1),
        "--filter",
        "event=push",
        "--format",
        "{{json .}}",
    )
    assert f"{registry.host}/digest:1" in events


def test_docker_logs_in_and_pushes_with_what_it_keeps(docker: Docker, protected: DockerRegistry) -> None:
    name = f"{protected.host}/mine:1"
    docker.ok("tag", "busybox", name)
    refused = docker("push", name)
    assert (refused.code, "authentication required" in refused.stderr) == (1, True)
    wrong = docker("login", "-u", USERNAME, "-p", "wrong", protected.host)
    assert (wrong.code, "invalid username/password" in wrong.stderr) == (1, True)
    assert "Login Succeeded" in docker.ok("login", "-u", USERNAME, "-p", PASSWORD, protected.host)
    docker.ok("push", name)
    assert protected.names("mine") == ["1"]
    docker.ok("logout", protected.host)


def test_without_credentials_a_push_is_403_before_any_record(service: Service, protected: DockerRegistry) -> None:
    assert service.request("POST", f"/images/busybox/tag?repo={protected.host}/mine&tag=2")[0] == 201
    status, (said,) = push(service, f"/images/{protected.host}/mine/push?tag=2")
    assert (status, "authentication required" in str(said["message"])) == (403, True)
    status, _ = push(service, f"/images/{protected.host}/mine/push?tag=2", **auth(protected.host))
    assert status == 200


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_asked(
    podman: Podman, behind_tls: DockerRegistry
) -> None:
    target = f"docker://{behind_tls.host}/box:1"
    refused = podman("push", "--tls-verify=true", "busybox", target)
    assert (refused.code != 0, "x509" in refused.stderr) == (True, True)
    podman.ok("push", "--tls-verify=false", "busybox", target)
    assert behind_tls.names("box") == ["1"]


def test_a_login_leaves_no_password_behind(service: Service, protected: DockerRegistry) -> None:
    body = {"username": USERNAME, "password": PASSWORD, "serveraddress": protected.host}
    assert service.request("POST", "/auth", body)[0] == 200
    assert service.request("POST", "/auth", body | {"password": "other-pass"})[0] == 401
    files = [path for path in (*service.root.rglob("*"), *service.runroot.rglob("*"), service.log_path) if _plain(path)]
    assert service.log_path in files
    for path in files:
        assert PASSWORD.encode() not in path.read_bytes()
    assert list((service.root / "tmp").iterdir()) == []


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 22


def test_what_is_pushed_is_pushed_where_pulls_go_elsewhere(
    make_service: Callable[..., Service], registry: DockerRegistry, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "elsewhere") as elsewhere:
        conf = tmp_path / "registries.conf"
        conf.write_text(f'[[registry]]\nprefix = "{registry.host}"\nlocation = "{elsewhere.host}"\ninsecure = true\n')
        service = make_service("--idle-timeout", "0")
        service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(conf)})
        name = f"{registry.host}/there"
        assert service.request("POST", "/images/load", docker_archive(busybox_image(f"{name}:1")))[0] == 200
        status, said = push(service, f"/images/{name}/push?tag=1")
        assert (status, set(said[-1]["aux"])) == (200, {"Tag", "Digest", "Size"}), said  # type: ignore[call-overload]
        assert (registry.names("there"), elsewhere.names("there")) == (["1"], [])
        _, inspected = service.request("GET", f"/images/{name}:1/json")
        assert json.loads(inspected)["RepoDigests"] == [f"{name}@{said[-1]['aux']['Digest']}"]  # type: ignore[index]


def test_a_registry_that_is_not_there_is_an_error_with_its_reason(service: Service, docker: Docker) -> None:
    docker.ok("tag", "busybox", "127.0.0.1:1/box:1")
    status, (said,) = push(service, "/images/127.0.0.1:1/box/push?tag=1")
    assert (status, "connection refused" in str(said["message"])) == (500, True)
    said_ = docker("login", "-u", "x", "-p", "y", "127.0.0.1:1")
    assert (said_.code, "connection refused" in said_.stderr) == (1, True)


@contextmanager
def taker(seconds: float, refuse: bool) -> Iterator[tuple[str, list[int]]]:
    """A registry that answers an upload's begin after so long, and then refuses it or takes it slowly: host, bytes."""
    got: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def say(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            self.say(200 if self.path == "/v2/" else 404)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            time.sleep(seconds)
            self.say(403 if refuse else 202, Location="/v2/box/blobs/uploads/1")

        def do_PATCH(self) -> None:
            while size := int(self.rfile.readline(), 16):
                got.append(len(self.rfile.read(size)))
                self.rfile.readline()
                time.sleep(size / 20e6)
            self.rfile.readline()
            self.say(500)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        server.server_close()


def load_large(service: Service, host: str) -> None:
    large = TestImage((layer([Entry("data", os.urandom(30_000_000))]),), (f"{host}/box:1",))
    assert service.request("POST", "/images/load?quiet=1", docker_archive(large))[0] == 200


def test_what_is_only_made_ready_is_no_progress_and_a_refusal_after_it_has_its_status(service: Service) -> None:
    with taker(1.0, refuse=True) as (host, _):
        load_large(service, host)
        assert push(service, f"/images/{host}/box/push?tag=1")[0] == 403


def test_progress_is_of_what_has_left(service: Service) -> None:
    in_buffers = 12_000_000
    with taker(0, refuse=False) as (host, got):
        load_large(service, host)
        connection = UnixConnection(service.socket)
        connection.request("POST", f"/images/{host}/box/push?tag=1")
        shown = []
        for line in connection.getresponse():
            if current := json.loads(line).get("progressDetail", {}).get("current"):
                shown.append(current)
                assert current <= sum(got) + in_buffers
        connection.close()
        assert len(set(shown)) > 3
