"""Class 22: a push goes to its registry alone, whatever address that names for an upload."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.test_pull_bad_registry import skopeos
from tests.integration.test_pull_docker import auth
from tests.integration.test_push import push
from tests.support.http_server import Handler, RunningServer
from tests.support.image_archive import Entry, TestImage, busybox_image, docker_archive, layer
from tests.support.outside import until
from tests.support.registry import PASSWORD, USERNAME, make_certificate
from tests.support.service import Service, UnixConnection

TOKEN = "the-token"
BASIC = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()


class Registry(RunningServer):
    """Takes images, and says where each upload is to be sent as a test wants it.

    Args:
        tls: the directory of its certificate, where it has one.
        lets_in: `anybody`; `basic`: who says USERNAME and PASSWORD; `bearer`: who has got a token for them.

    Attributes:
        host: `127.0.0.1:PORT`; `elsewhere` is the same port under the name of another host.
        location: makes of the path of an upload what `Location` says.
        seen: method, path and Authorization of each request.
    """

    def __init__(self, tls: Path | None = None, lets_in: str = "anybody") -> None:
        self.location: Callable[[str], str] = lambda path: path
        self.redirect_upload: str | None = None
        self.redirect_look: str | None = None
        self.going = threading.Event()
        self.going.set()
        self.seen: list[tuple[str, str, str | None]] = []
        self.stored: dict[str, bytes] = {}
        registry = self

        class Answering(Handler):
            def answer(self) -> None:
                given = self.headers.get("Authorization")
                registry.seen.append((self.command, self.path, given))
                data = self.body()
                path = self.path.partition("?")[0]
                wanted = {"basic": BASIC, "bearer": f"Bearer {TOKEN}"}.get(lets_in, given)
                if path == "/token":
                    self.say(200 if given == BASIC else 401, json.dumps({"token": TOKEN}).encode())
                elif given != wanted:
                    realm = (
                        f'Bearer realm="{registry.url}/token",service="x"' if lets_in == "bearer" else 'Basic realm="x"'
                    )
                    self.say(401, WWW_Authenticate=realm)
                elif self.command == "POST" and registry.redirect_upload:
                    self.say(307, Location=registry.redirect_upload + path)
                elif self.command == "HEAD" and registry.redirect_look:
                    self.say(307, Location=registry.redirect_look + path)
                elif self.command == "POST":
                    registry.going.wait(60)
                    self.say(202, Location=registry.location(f"{path}1"))
                elif self.command == "PATCH":
                    registry.stored["upload"] = data
                    self.say(202, Location=registry.location(path))
                elif self.command == "PUT" and "/uploads/" in path:
                    blob = registry.stored.get("upload", b"") + data
                    registry.stored["sha256:" + hashlib.sha256(blob).hexdigest()] = blob
                    self.say(201)
                elif self.command == "PUT":
                    registry.stored[path.rpartition("/")[2]] = data
                    registry.stored["sha256:" + hashlib.sha256(data).hexdigest()] = data
                    self.say(201)
                elif path == "/v2/":
                    self.say(200)
                elif (stored := registry.stored.get(path.rpartition("/")[2])) is not None:
                    kind = json.loads(stored)["mediaType"] if "/manifests/" in path else "application/octet-stream"
                    self.say(200, stored, Content_Type=kind)
                else:
                    self.say(404)

            do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = answer  # noqa: N815

        super().__init__(Answering, tls)
        self.url = f"{self.scheme}://{self.host}"
        self.elsewhere = f"{self.scheme}://localhost:{self.port}"

    def close(self) -> None:
        self.going.set()
        super().close()


@pytest.fixture(params=[("http", "basic"), ("https", "basic"), ("https", "bearer"), ("http", "anybody")])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    scheme, lets_in = request.param
    with running(tmp_path, scheme, lets_in) as made:
        yield made


@contextmanager
def running(folder: Path, scheme: str, lets_in: str) -> Iterator[Registry]:
    """A registry, whose certificate this host trusts; the tests have a mount namespace of their own."""
    if scheme == "https":
        make_certificate(folder)
    made = Registry(folder if scheme == "https" else None, lets_in)
    trusted = [Path("/etc/containers/certs.d") / name for name in (made.host, f"localhost:{made.port}")]
    try:
        for directory in trusted if scheme == "https" else ():
            directory.mkdir(parents=True)
            shutil.copy(folder / "cert.pem", directory / "ca.crt")
        yield made
    finally:
        for directory in trusted:
            shutil.rmtree(directory, ignore_errors=True)
        made.close()


@pytest.fixture
def other() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.close()


def pushed(service: Service, registry: Registry, flavour: str) -> tuple[int, str]:
    """Status of one push, and all that was said."""
    name = f"{registry.host}/box"
    assert service.request("POST", "/images/load", docker_archive(busybox_image(f"{name}:1")))[0] == 200
    path = f"/images/{name}/push?tag=1"
    if flavour == "libpod":
        verify = "true" if registry.scheme == "https" else "false"
        path = f"/v5.0.0/libpod/images/{name}:1/push?destination={name}:1&tlsVerify={verify}&quiet=false"
    status, said = push(service, path, **auth(registry.host))
    return status, json.dumps(said)


def refused(service: Service, registry: Registry, other: Registry, flavour: str) -> None:
    """The push is an error that names the other host, which has heard of nothing; the store is as it was."""
    status, said = pushed(service, registry, flavour)
    where = other.elsewhere
    assert (status, f"wants the upload sent to another host, {where}: neither credentials nor" in said) == (
        500,
        True,
    ), said
    assert PASSWORD not in said
    assert not [each for each in registry.seen if each[0] in ("PATCH", "PUT")]
    assert not skopeos(service)
    store = ["--root", f"{service.root}/storage", "--runroot", f"{service.runroot}/storage"]
    subprocess.run(["buildah", *store, "--storage-driver", "overlay", "images"], check=True, capture_output=True)
    assert service.request("GET", f"/images/{registry.host}/box:1/json")[0] == 200
    assert list((service.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("flavour", ["docker", "libpod"])
def test_an_upload_that_is_to_go_to_another_host_goes_nowhere(
    service: Service, registry: Registry, other: Registry, flavour: str
) -> None:
    registry.location = lambda path: other.elsewhere + path
    refused(service, registry, other, flavour)
    assert other.seen == []


@pytest.mark.parametrize("bytes_", [60_000, 1_200_000])
def test_nor_does_one_whose_address_is_long(service: Service, tmp_path: Path, bytes_: int) -> None:
    with (
        running(tmp_path, "https", "basic") as registry,
        socket.create_server(("127.0.0.1", 0)) as elsewhere,
    ):
        registry.location = lambda path: f"http://localhost:{elsewhere.getsockname()[1]}{path}?{'a' * bytes_}"
        status, said = pushed(service, registry, "docker")
        expected = "got more than 65536 bytes" if bytes_ > 65536 else "wants the upload sent to another host"
        assert (status, expected in said) == (500, True), said
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_a_path_that_looks_like_another_host_is_a_path(service: Service, registry: Registry, other: Registry) -> None:
    there = other.elsewhere.partition("://")[2]
    registry.location = lambda path: f"{registry.url}//{there}{path}"
    status, said = pushed(service, registry, "docker")
    assert (status, "error" in said, other.seen) == (200, False, []), said


@pytest.mark.parametrize("way", ["/x/..", "/%2e%2e/x/..", '/%2e%2e/"/..', '/"/%2e%2e', '/x%2f..%2f"%2f..'])
def test_no_way_up_leads_to_where_it_sends_for_tokens(
    service: Service, tmp_path: Path, other: Registry, way: str
) -> None:
    with running(tmp_path, "http", "bearer") as registry:
        here, registry.url = registry.url, other.elsewhere
        registry.location = lambda path: f"{here}{way}/-/1{path}"
        status, said = pushed(service, registry, "docker")
        assert (status, "error" in said) == (200, False), said
    assert {(method, path.partition("?")[0]) for method, path, _ in other.seen} == {("GET", "/token")}


def test_nor_does_one_whose_beginning_was_redirected_there(
    service: Service, registry: Registry, other: Registry
) -> None:
    registry.redirect_upload = other.elsewhere
    refused(service, registry, other, "docker")
    assert {(method, authorization) for method, _, authorization in other.seen} <= {("POST", None)}


@pytest.mark.parametrize("flavour", ["docker", "libpod"])
@pytest.mark.parametrize("form", ["relative", "absolute"])
def test_an_upload_to_the_registry_itself_arrives(
    service: Service, registry: Registry, flavour: str, form: str
) -> None:
    registry.location = lambda path: path if form == "relative" else registry.url + path
    status, said = pushed(service, registry, flavour)
    assert (status, "error" in said) == (200, False), said
    assert json.loads(registry.stored["1"])["schemaVersion"] == 2


def test_another_port_of_the_same_host_is_no_other_host(service: Service, registry: Registry, tmp_path: Path) -> None:
    """As where a registry knows its public address and is asked through a tunnel."""
    second = Registry(tmp_path if registry.scheme == "https" else None)
    second.stored = registry.stored
    registry.location = lambda path: second.url + path
    try:
        status, said = pushed(service, registry, "docker")
        assert (status, "error" in said) == (200, False), said
        assert any(method == "PATCH" for method, _, _ in second.seen)
    finally:
        second.close()


@pytest.mark.parametrize("lets_in", ["basic", "bearer"])
def test_a_registry_behind_tls_gets_no_upload_in_the_clear(
    service: Service, tmp_path: Path, other: Registry, lets_in: str
) -> None:
    """As a registry says it that does not know of the proxy before it that has the certificate."""
    with running(tmp_path, "https", lets_in) as registry:
        registry.location = lambda path: other.url + path
        status, said = pushed(service, registry, "docker")
        assert (status, f"wants credentials at {other.url}, where anybody could read them" in said) == (500, True), said
    assert other.seen == []


def test_a_look_that_is_redirected_to_another_host_has_no_credentials_and_the_push_goes_on(
    service: Service, registry: Registry, other: Registry
) -> None:
    registry.redirect_look = other.elsewhere
    status, said = pushed(service, registry, "docker")
    assert (status, "error" in said) == (200, False), said
    assert {(method, authorization) for method, _, authorization in other.seen} == {("HEAD", None)}


def test_the_realm_of_a_registry_that_has_a_mirror_is_looked_at_too(
    make_service: Callable[..., Service], tmp_path: Path, other: Registry
) -> None:
    """Before the push it is the mirror that is asked."""
    with running(tmp_path, "https", "bearer") as registry:
        conf = tmp_path / "registries.conf"
        mirror = f'[[registry.mirror]]\nlocation = "{other.host}"\ninsecure = true\n'
        conf.write_text(f'[[registry]]\nlocation = "{registry.host}"\n{mirror}')
        registry.url = other.elsewhere
        service = make_service("--idle-timeout", "0")
        service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(conf)})
        other.stored["latest"] = b'{"mediaType": "application/vnd.oci.image.manifest.v1+json"}'
        status, said = pushed(service, registry, "docker")
        assert (status, f"wants credentials at {other.elsewhere}" in said) == (500, True), said
        assert not [path for _, path, _ in other.seen if path.startswith("/token")]


def test_a_service_killed_in_a_push_leaves_nobody_to_go_on(
    make_service: Callable[..., Service], tmp_path: Path, other: Registry
) -> None:
    with running(tmp_path, "http", "basic") as registry:
        registry.location = lambda path: other.elsewhere + path
        registry.going.clear()
        service = make_service("--idle-timeout", "0")
        service.start()
        name = f"{registry.host}/box"
        assert service.request("POST", "/images/load", docker_archive(busybox_image(f"{name}:1")))[0] == 200
        connection = UnixConnection(service.socket)
        connection.request("POST", f"/images/{name}/push?tag=1", headers=auth(registry.host))
        deadline = time.monotonic() + 10
        while not any(method == "POST" for method, _, _ in registry.seen):
            assert time.monotonic() < deadline, service.log_tail()
            time.sleep(0.02)
        assert skopeos(service)
        service.kill()
        registry.going.set()
        while skopeos(service):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        connection.close()
        assert other.seen == []
        service.start()
        assert service.request("GET", f"/images/{name}:1/json")[0] == 200
        assert list((service.root / "tmp").iterdir()) == []


def test_a_service_that_is_stopped_in_a_push_leaves_no_credentials(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    with running(tmp_path, "http", "basic") as registry:
        registry.going.clear()
        service = make_service("--idle-timeout", "0")
        service.start()
        name = f"{registry.host}/box"
        assert service.request("POST", "/images/load", docker_archive(busybox_image(f"{name}:1")))[0] == 200
        connection = UnixConnection(service.socket)
        connection.request("POST", f"/images/{name}/push?tag=1", headers=auth(registry.host))
        until(lambda: any(method == "POST" for method, _, _ in registry.seen), "the push has begun")
        assert list((service.root / "tmp").glob("*/auth.json"))
        assert service.terminate() == 0
        connection.close()
        assert (list((service.root / "tmp").iterdir()), skopeos(service)) == ([], [])
        assert "Exception ignored" not in service.log()


def test_an_image_that_is_removed_while_it_is_pushed_is_an_error_that_says_so(service: Service, tmp_path: Path) -> None:
    with running(tmp_path, "http", "basic") as registry:
        registry.going.clear()
        name = f"{registry.host}/box"
        image = TestImage(tuple(layer([Entry("data", os.urandom(1_000_000))]) for _ in range(8)), (f"{name}:1",))
        assert service.request("POST", "/images/load", docker_archive(image))[0] == 200
        connection = UnixConnection(service.socket)
        connection.request("POST", f"/images/{name}/push?tag=1", headers=auth(registry.host))
        until(lambda: any(method == "POST" for method, _, _ in registry.seen), "the push has begun")
        status, removed = service.request("DELETE", f"/images/{name}:1")
        assert (status, "Deleted" in json.loads(removed)[-1]) == (200, True)
        registry.going.set()
        said = connection.getresponse().read().decode()
        connection.close()
        assert f"sha256:{image.id}: image removed underneath" in said
        assert "containers-storage" not in said
        assert list((service.root / "tmp").iterdir()) == []
