"""Class 22: where a registry redirects to another host name, credentials do not go along; not even below its own."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_pull_bad_registry import BadRegistry, nothing_half_pulled
from tests.integration.test_pull_docker import auth, pull
from tests.support.registry import PASSWORD, USERNAME
from tests.support.service import Service, UnixConnection

BASIC = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
HOSTS = "127.0.0.1 localhost cdn.localhost elsewhere.test\n"


@pytest.fixture
def registry() -> Iterator[BadRegistry]:
    """Of the name `localhost`; it lets in who has credentials."""
    made = BadRegistry()
    made.challenge = True
    yield made
    made.going.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def storage() -> Iterator[BadRegistry]:
    """It has the same under other names, for anybody."""
    made = BadRegistry()
    yield made
    made.server.shutdown()
    made.server.server_close()


def port(server: BadRegistry) -> int:
    number: int = server.server.server_address[1]
    return number


@pytest.fixture(params=["request", "host"])
def service(
    request: pytest.FixtureRequest, make_service: Callable[..., Service], registry: BadRegistry, tmp_path: Path
) -> Service:
    """On a host that knows these names; it has the credentials itself where a request has none."""
    (tmp_path / "hosts").write_text(HOSTS)
    script = f'mount --bind {tmp_path}/hosts /etc/hosts && exec "$@"'
    wrapper = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    environment = {}
    if request.param == "host":
        key = f"localhost:{port(registry)}"
        pair = BASIC.removeprefix("Basic ")
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {key: {"auth": pair}}}))
        environment = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    made = make_service("--idle-timeout", "0", wrapper=wrapper)
    made.start(environment=environment)
    made.of_request = {} if request.param == "host" else auth(f"localhost:{port(registry)}")  # type: ignore[attr-defined]
    return made


def pulled(service: Service, registry: BadRegistry, flavour: str) -> str:
    """The last line of a pull."""
    name = f"localhost:{port(registry)}/box"
    headers: dict[str, str] = service.of_request  # type: ignore[attr-defined]
    if flavour == "docker":
        status, lines = pull(service, name, **headers)
        assert status == 200, f"{lines} {service.log_tail()}"
        return json.dumps(lines[-1])
    connection = UnixConnection(service.socket)
    try:
        query = f"/v5.0.0/libpod/images/pull?reference={name}&tlsVerify=false"
        connection.request("POST", query, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status == 200, body + service.log_tail()
        return body.splitlines()[-1]
    finally:
        connection.close()


def redirect(url: str) -> Callable[[Any, bytes], None]:
    def to(handler: Any, _: bytes) -> None:
        handler.give(b"", status=307, headers={"Location": url + handler.path})

    return to


@pytest.mark.parametrize("flavour", ["docker", "libpod"])
@pytest.mark.parametrize("name", ["cdn.localhost", "elsewhere.test", "127.0.0.1"])
@pytest.mark.parametrize("what", ["layer", "manifest"])
def test_a_pull_takes_them_to_no_other_name(
    service: Service, registry: BadRegistry, storage: BadRegistry, flavour: str, name: str, what: str
) -> None:
    url = f"http://{name}:{port(storage)}"
    if what == "layer":
        registry.blob = redirect(url)
    else:
        digest = "sha256:" + hashlib.sha256(json.dumps(registry.manifest).encode()).hexdigest()
        registry.refusal = (307, b"", {"Location": f"{url}/v2/box/manifests/{digest}"})
    said = pulled(service, registry, flavour)
    assert ("Downloaded newer image" in said) if flavour == "docker" else ('"id"' in said), said + service.log_tail()
    assert {header for path, header in registry.seen if "/v2/box/" in path} == {BASIC}
    assert storage.seen
    assert {header for _, header in storage.seen} == {None}


def test_what_leads_back_to_the_registry_gets_none_either(
    service: Service, registry: BadRegistry, storage: BadRegistry
) -> None:
    registry.blob = redirect(f"http://cdn.localhost:{port(storage)}")
    storage.blob = redirect(f"http://localhost:{port(registry)}")
    before = len(registry.seen)
    said = pulled(service, registry, "docker")
    assert "error" in said
    layers = [header for path, header in registry.seen[before:] if registry.slow_layer in path]
    assert None in layers
    assert {header for _, header in storage.seen} == {None}
    nothing_half_pulled(service)


def test_what_a_mirror_wanted_is_not_what_the_registry_said(
    make_service: Callable[..., Service], registry: BadRegistry, storage: BadRegistry, tmp_path: Path
) -> None:
    """It is asked after its mirror, and has the last word."""
    mirror = f'[[registry.mirror]]\nlocation = "127.0.0.1:{port(storage)}"\ninsecure = true\n'
    place = f'[[registry]]\nlocation = "127.0.0.1:{port(registry)}"\ninsecure = true\n'
    (tmp_path / "registries.conf").write_text(place + mirror)
    service = make_service("--idle-timeout", "0")
    service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf")})
    storage.challenge = True
    storage.refusal = (307, b"", {"Location": "ftp://elsewhere.test/"})
    registry.refusal = (404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}', {})
    hosts = [f"127.0.0.1:{port(each)}" for each in (registry, storage)]
    known = {"username": USERNAME, "password": PASSWORD}
    header = base64.urlsafe_b64encode(json.dumps(dict.fromkeys(hosts, known)).encode()).decode()
    connection = UnixConnection(service.socket)
    try:
        query = f"/v5.0.0/libpod/images/pull?reference={hosts[0]}/box&tlsVerify=false"
        connection.request("POST", query, headers={"X-Registry-Config": header})
        said = connection.getresponse().read().decode()
    finally:
        connection.close()
    assert storage.seen
    assert "manifest unknown" in said
    assert "redirects to a place" not in said
