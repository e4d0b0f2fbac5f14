"""The docker and podman commands log in and push to real registries."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_pull_docker import auth
from tests.support.docker import Docker
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
    docker.ok("rmi", name)
    docker.ok("pull", name)
    assert docker.ok("run", "--rm", "--network", "none", name, "echo", "came back") == "came back"


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


def test_a_registry_that_is_not_there_is_an_error_with_its_reason(service: Service, docker: Docker) -> None:
    docker.ok("tag", "busybox", "127.0.0.1:1/box:1")
    status, (said,) = push(service, "/images/127.0.0.1:1/box/push?tag=1")
    assert (status, "connection refused" in str(said["message"])) == (500, True)
    said_ = docker("login", "-u", "x", "-p", "y", "127.0.0.1:1")
    assert (said_.code, "connection refused" in said_.stderr) == (1, True)
