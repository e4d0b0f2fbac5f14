"""What the host has written about registries counts: mirrors, aliases, what is blocked, signatures, credentials."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_pull_bad_registry import nothing_half_pulled
from tests.integration.test_pull_docker import auth, pull
from tests.support.docker import Docker
from tests.support.host_files import with_host_files
from tests.support.image_archive import busybox_image, docker_archive
from tests.support.podman import Podman
from tests.support.registry import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    PASSWORD,
    USERNAME,
    DockerRegistry,
    docker_registry,
    image_manifest,
)
from tests.support.service import Service, start_with_registries_conf

MakeService = Callable[..., Service]
REJECT_ALL = json.dumps({"default": [{"type": "reject"}]})


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("protected"), protected=True) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


@pytest.fixture
def configured(make_service: MakeService, tmp_path: Path) -> Callable[[str], Service]:
    return partial(start_with_registries_conf, make_service, tmp_path)


def libpod_pull(service: Service, query: str) -> tuple[int, list[dict[str, Any]]]:
    status, body = service.request("POST", f"/v5.0.0/libpod/images/pull?{query}")
    return status, [json.loads(line) for line in body.splitlines()]


def names(service: Service) -> list[str]:
    images = json.loads(service.request("GET", "/images/json")[1])
    return sorted(name for image in images for name in image["RepoTags"])


def insecure(registry: DockerRegistry) -> str:
    return f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n'


def mirrored(registry: DockerRegistry) -> str:
    mirror = f'[[registry.mirror]]\nlocation = "{registry.host}"\ninsecure = true\n'
    return f'[[registry]]\nlocation = "mirrored.invalid"\n{mirror}'


def test_a_mirror_is_asked_and_the_image_has_the_name_that_was_asked_for(
    configured: Callable[[str], Service], registry: DockerRegistry
) -> None:
    service = configured(mirrored(registry))
    status, lines = pull(service, "mirrored.invalid/box")
    assert (status, lines[-1]["status"]) == (200, "Status: Downloaded newer image for mirrored.invalid/box:latest")
    assert names(service) == ["mirrored.invalid/box:latest"]
    assert libpod_pull(service, "reference=mirrored.invalid/box")[1][-1]["id"] == busybox_image().id


def test_a_mirror_gets_its_own_credentials_of_those_that_a_request_brings(
    configured: Callable[[str], Service], protected: DockerRegistry
) -> None:
    service = configured(mirrored(protected))
    wrong, right = ({"username": USERNAME, "password": each} for each in ("wrong", PASSWORD))
    for credentials, status in ((wrong, 403), (right, 200)):
        value = {"mirrored.invalid": wrong, protected.host: wrong, f"{protected.host}/box": credentials}
        header = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
        assert pull(service, "mirrored.invalid/box", **{"X-Registry-Auth": header})[0] == status


@pytest.mark.parametrize("with_credentials", [False, True])
def test_a_mirror_for_tags_alone_has_the_image_too_and_is_asked_for_no_digest(
    configured: Callable[[str], Service], registry: DockerRegistry, protected: DockerRegistry, with_credentials: bool
) -> None:
    there = protected if with_credentials else registry
    headers = auth(there.host) if with_credentials else {}
    manifest = put_list(there, "listed", "1")
    service = configured(f'{mirrored(there)}pull-from-mirror = "tag-only"\n')
    for name, tag in (("box", "latest"), ("listed", "1")):
        status, lines = pull(service, f"mirrored.invalid/{name}", tag, **headers)
        assert (status, "Downloaded newer image" in str(lines[-1])) == (200, True), lines
    assert pull(service, "mirrored.invalid/listed", manifest, **headers)[0] == 500


def test_a_registry_with_a_mirror_for_tags_alone_is_asked_where_no_file_could_say_more(
    make_service: MakeService, registry: DockerRegistry, tmp_path: Path
) -> None:
    mirror = f'[[registry.mirror]]\nlocation = "{registry.host}/box"\ninsecure = true\npull-from-mirror = "tag-only"\n'
    conf = f'[[registry]]\nlocation = "{registry.host}/box"\ninsecure = true\n{mirror}'
    where = "/etc/containers/registries.conf.d/1.conf"
    service = make_service("--idle-timeout", "0", wrapper=with_host_files(tmp_path, {where: conf}))
    service.start()
    status, lines = pull(service, f"{registry.host}/box")
    assert (status, "Downloaded newer image" in str(lines[-1])) == (200, True), lines


def put_list(registry: DockerRegistry, repository: str, tag: str) -> str:
    """Store a list of one image, for this machine; answers the list's digest."""
    image = busybox_image(Cmd=["listed"])
    data = image_manifest(image, lambda each: registry.put_blob(repository, each))
    digest = registry.put_manifest(repository, "one", data)
    size, own = len(json.dumps(data)), json.loads(image.config_json)
    platform = {"os": own["os"], "architecture": own["architecture"]}
    one = {"mediaType": MANIFEST_TYPE, "digest": digest, "size": size, "platform": platform}
    return registry.put_manifest(repository, tag, {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [one]})


def test_all_tags_are_those_of_where_the_repository_comes_from(
    configured: Callable[[str], Service], protected: DockerRegistry
) -> None:
    protected.put_image("far/tags", "1", busybox_image())
    protected.put_image("far/tags", "2", busybox_image())
    conf = f'[[registry]]\nprefix = "moved.invalid/near"\nlocation = "{protected.host}/far"\ninsecure = true\n'
    service = configured(conf)
    assert pull(service, "moved.invalid/near/tags", "")[0] == 403
    status, said = pull(service, "moved.invalid/near/tags", "", **auth(protected.host))
    assert (status, said[-1]["status"]) == (200, "Status: Downloaded newer image for moved.invalid/near/tags")
    assert names(service) == ["moved.invalid/near/tags:1", "moved.invalid/near/tags:2"]
    blocked = configured('[[registry]]\nlocation = "blocked.invalid"\nblocked = true\n')
    assert pull(blocked, "blocked.invalid/tags", "")[0] == 403


def test_what_neither_a_mirror_nor_the_registry_has_is_an_error_and_nothing_stays(
    configured: Callable[[str], Service], registry: DockerRegistry
) -> None:
    service = configured(mirrored(registry))
    status, (said,) = pull(service, "mirrored.invalid/nope")
    assert (status >= 400, "mirrored.invalid" in str(said["message"])) == (True, True)
    nothing_half_pulled(service)


def test_an_alias_leads_podman_to_its_image_and_docker_to_docker_hub(
    configured: Callable[[str], Service], registry: DockerRegistry, tmp_path: Path
) -> None:
    service = configured(
        f'{insecure(registry)}[[registry]]\nlocation = "docker.io"\nblocked = true\n'
        f'[aliases]\n"short/box" = "{registry.host}/box"\n'
    )
    podman = Podman(service.host, tmp_path)
    assert podman.ok("pull", "-q", "short/box") == busybox_image().id
    assert names(service) == [f"{registry.host}/box:latest"]
    assert podman.ok("run", "--rm", "--network", "none", "short/box", "echo", "it runs") == "it runs"
    status, (said,) = pull(service, "short/box")
    assert (status, "docker.io" in str(said["message"])) == (403, True)


def test_what_is_blocked_is_403_for_podman_too_and_for_a_push(
    configured: Callable[[str], Service], registry: DockerRegistry
) -> None:
    service = configured(f'[[registry]]\nlocation = "{registry.host}"\nblocked = true\n')
    status, (said,) = libpod_pull(service, f"reference={registry.host}/box&tlsVerify=false")
    assert (status, "is blocked in" in said["message"]) == (403, True)
    assert service.request("POST", "/images/load?quiet=1", docker_archive(busybox_image("box:1")))[0] == 200
    query = f"destination={registry.host}/box:2&tlsVerify=false"
    status, body = service.request("POST", f"/v5.0.0/libpod/images/box:1/push?{query}")
    assert (status, "is blocked in" in json.loads(body)["message"]) == (403, True)


def test_insecure_lets_podman_speak_plainly_unless_the_request_forbids_it(
    configured: Callable[[str], Service], registry: DockerRegistry
) -> None:
    service = configured(insecure(registry))
    status, (said,) = libpod_pull(service, f"reference={registry.host}/box&tlsVerify=true")
    assert (status, "HTTP response to HTTPS client" in said["message"]) == (500, True)
    assert libpod_pull(service, f"reference={registry.host}/box")[1][-1]["id"] == busybox_image().id


def test_the_proxy_of_the_services_environment_leads_to_registries(make_service: MakeService, tmp_path: Path) -> None:
    asked: list[str] = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    conf = tmp_path / "registries.conf"
    conf.write_text('[[registry]]\nlocation = "behind.invalid"\ninsecure = true\n')
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service = make_service("--idle-timeout", "0")
        proxy = f"http://127.0.0.1:{server.server_address[1]}"
        service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(conf), "HTTP_PROXY": proxy})
        assert pull(service, "behind.invalid/box")[0] >= 400
        server.shutdown()
    assert "http://behind.invalid/v2/" in asked


def test_a_broken_registries_conf_is_an_error_that_names_it(
    configured: Callable[[str], Service], tmp_path: Path
) -> None:
    service = configured("unqualified-search-registries = [")
    status, (said,) = libpod_pull(service, "reference=box")
    assert (status, str(tmp_path / "registries.conf") in said["message"]) == (500, True)


@pytest.mark.parametrize("where", ["/etc/containers/policy.json", "/root/.config/containers/policy.json"])
def test_policy_json_rejects_what_comes_from_registries_and_nothing_stays(
    make_service: MakeService, registry: DockerRegistry, tmp_path: Path, where: str
) -> None:
    service = make_service("--idle-timeout", "0", wrapper=with_host_files(tmp_path, {where: REJECT_ALL}))
    service.start()
    status, lines = pull(service, f"{registry.host}/box")
    assert (status, "rejected by policy" in str(lines[-1])) == (200, True), lines
    assert "rejected by policy" in str(libpod_pull(service, f"reference={registry.host}/box&tlsVerify=false")[1][-1])
    nothing_half_pulled(service)
    assert service.request("POST", "/images/load?quiet=1", docker_archive(busybox_image("box:1")))[0] == 200


def auth_json(registry: DockerRegistry) -> str:
    pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    return json.dumps({"auths": {registry.host: {"auth": pair}}})


@pytest.fixture(params=["named", "run", "config"])
def logged_in(
    request: pytest.FixtureRequest, make_service: MakeService, protected: DockerRegistry, tmp_path: Path
) -> Service:
    """A service on a host that has credentials for the registry."""
    content = auth_json(protected)
    environment: dict[str, str] = {}
    wrapper: tuple[str, ...] = ()
    if request.param == "named":
        named = tmp_path / "mine.json"
        named.write_text(content)
        environment = {"REGISTRY_AUTH_FILE": str(named)}
    else:
        where = {"run": "/run/containers/0/auth.json", "config": "/root/.config/containers/auth.json"}[request.param]
        wrapper = with_host_files(tmp_path / "host", {where: content})
    service = make_service("--idle-timeout", "0", "--log-level", "trace", wrapper=wrapper)
    service.start(environment=environment)
    return service


def test_the_hosts_credentials_open_a_registry_for_who_brings_none(
    logged_in: Service, protected: DockerRegistry
) -> None:
    assert "Downloaded newer" in str(pull(logged_in, f"{protected.host}/box")[1][-1])
    assert libpod_pull(logged_in, f"reference={protected.host}/box&tlsVerify=false")[1][-1]["id"] == busybox_image().id
    status, body = logged_in.request("POST", f"/images/{protected.host}/box/push?tag=latest")
    assert (status, b"digest: sha256:" in body) == (200, True), body
    assert PASSWORD not in logged_in.log()


def test_credentials_of_a_request_stand_in_for_the_hosts(logged_in: Service, protected: DockerRegistry) -> None:
    wrong = base64.urlsafe_b64encode(json.dumps({"username": USERNAME, "password": "wrong"}).encode()).decode()
    assert pull(logged_in, f"{protected.host}/box", **{"X-Registry-Auth": wrong})[0] == 403
    assert pull(logged_in, f"{protected.host}/box", **auth(protected.host))[0] == 200


def test_credentials_in_x_registry_config_are_each_registrys_own(
    make_service: MakeService, protected: DockerRegistry
) -> None:
    service = make_service("--idle-timeout", "0")
    service.start()
    value = {protected.host: {"username": USERNAME, "password": PASSWORD}, "other.invalid": {"username": "x"}}
    header = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    assert pull(service, f"{protected.host}/box", **{"X-Registry-Config": header})[0] == 200


def test_docker_keeps_the_credentials_of_its_login_for_pulls(
    make_service: MakeService, protected: DockerRegistry, docker_for: Callable[[Service], Docker]
) -> None:
    service = make_service("--idle-timeout", "0")
    service.start()
    docker = docker_for(service)
    docker.ok("login", "-u", USERNAME, "-p", PASSWORD, protected.host)
    docker.ok("pull", f"{protected.host}/box")
    docker.ok("logout", protected.host)
    refused = docker("pull", f"{protected.host}/box")
    assert (refused.code, "unauthorized" in refused.stderr) == (1, True)


def test_a_login_is_checked_and_no_helper_of_the_host_keeps_it(
    configured: Callable[[str], Service], protected: DockerRegistry
) -> None:
    service = configured('credential-helpers = ["of-the-tests"]')  # which is not there
    body = {"username": USERNAME, "password": PASSWORD, "serveraddress": protected.host}
    assert service.request("POST", "/auth", body)[0] == 200
    assert service.request("POST", "/auth", body | {"password": "wrong"})[0] == 401


def test_no_helper_of_the_host_is_asked_where_a_request_brings_credentials(
    configured: Callable[[str], Service], protected: DockerRegistry
) -> None:
    service = configured('credential-helpers = ["of-the-tests"]\n' + insecure(protected))
    status, said = pull(service, f"{protected.host}/box", **auth(protected.host))
    assert (status, "Downloaded newer" in str(said[-1])) == (200, True)
