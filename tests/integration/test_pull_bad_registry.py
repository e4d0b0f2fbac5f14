"""Registries that misbehave, clients that leave, and a service that is killed: an error, and a store as before."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_pull_docker import auth, pull
from tests.support.image_archive import Entry, TestImage, docker_archive, layer
from tests.support.registry import MANIFEST_TYPE, PASSWORD, image_manifest
from tests.support.service import Service, UnixConnection

IMAGE = TestImage((layer([Entry("data", os.urandom(3_000_000))]),))


class BadRegistry:
    """Serves one image under any name; a test replaces what it does with a path.

    Attributes:
        before_tag: called before it answers for a manifest by tag.
        by_digest: manifests that are got by digest alone, as the images of a list.
        refusal: status, body and headers instead of any manifest.
        seen: `(path, the Authorization header)` of each request.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.seen: list[tuple[str, str | None]] = []
        self.blob: Callable[[Any, bytes], None] = lambda handler, data: handler.give(data)
        self.before_tag: Callable[[], None] = lambda: None
        self.manifest: dict[str, Any] = image_manifest(IMAGE, self._put)
        self.raw: bytes | None = None
        self.by_digest: dict[str, bytes] = {}
        self.refusal: tuple[int, bytes, dict[str, str]] | None = None
        self.headers: dict[str, str] = {}
        self.challenge = False
        self.going = threading.Event()
        self.slow_layer = "sha256:" + hashlib.sha256(IMAGE.layers[0]).hexdigest()
        bad = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def give(
                self,
                data: bytes,
                content_type: str = "application/octet-stream",
                status: int = 200,
                headers: Mapping[str, str] | None = None,
            ) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": content_type, **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                bad.seen.append((self.path, self.headers.get("Authorization")))
                if bad.challenge and not self.headers.get("Authorization"):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="bad"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if "/manifests/" in self.path and "/manifests/sha256:" not in self.path:
                    bad.before_tag()
                if "/manifests/" in self.path and bad.refusal is not None:
                    status, body, headers = bad.refusal
                    self.give(body, "application/json", status, headers)
                elif "/manifests/" in self.path:
                    data = bad.by_digest.get(self.path.rpartition("/")[2])
                    if data is not None:
                        self.give(data, json.loads(data)["mediaType"])
                    else:
                        self.give(bad.raw or json.dumps(bad.manifest).encode(), bad.manifest["mediaType"])
                elif "/blobs/" in self.path:
                    digest = self.path.rpartition("/")[2]
                    if digest == bad.slow_layer:
                        bad.blob(self, bad.blobs[digest])
                    else:
                        self.give(bad.blobs[digest])
                else:
                    self.give(b"{}")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _put(self, data: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def stall(self, handler: Any, data: bytes) -> None:
        """The first half, and then nothing until the test is over."""
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.wfile.flush()
        self.going.wait(60)


@pytest.fixture
def bad() -> Iterator[BadRegistry]:
    registry = BadRegistry()
    yield registry
    registry.going.set()
    registry.server.shutdown()
    registry.server.server_close()


@pytest.fixture
def own(make_service: Callable[..., Service]) -> Service:
    service = make_service("--idle-timeout", "0", "--registry-timeout", "1", "--log-level", "trace")
    service.start()
    return service


def nothing_half_pulled(service: Service) -> None:
    """No image, no file, no skopeo; buildah reads the same store."""
    assert json.loads(service.request("GET", "/images/json?all=1")[1]) == []
    deadline = time.monotonic() + 10
    while list((service.root / "tmp").iterdir()) or skopeos(service):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    store = ["--root", f"{service.root}/storage", "--runroot", f"{service.runroot}/storage"]
    subprocess.run(["buildah", *store, "--storage-driver", "overlay", "images"], check=True, capture_output=True)


def skopeos(service: Service) -> list[bytes]:
    """Command lines of the service's own skopeo processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"skopeo" in line and bytes(service.root) in line:
            found.append(line)
    return found


def error_of(answer: tuple[int, list[dict[str, Any]]]) -> str:
    status, lines = answer
    assert status == 200, lines
    assert lines[-1]["errorDetail"]["message"] == lines[-1]["error"]
    return str(lines[-1]["error"])


def test_a_registry_that_hangs_is_given_up(own: Service, bad: BadRegistry) -> None:
    bad.blob = bad.stall
    assert "sent nothing for 1 s" in error_of(pull(own, f"{bad.host}/box"))
    nothing_half_pulled(own)


@pytest.mark.parametrize("way", ["pull", "push", "login"])
def test_a_registry_that_takes_connections_and_says_nothing_is_given_up(own: Service, way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host = f"127.0.0.1:{mute.getsockname()[1]}"
        archive = docker_archive(TestImage(IMAGE.layers, (f"{host}/box:1",)))
        if way == "pull":
            status, (said,) = pull(own, f"{host}/box")
            message = str(said["message"])
        elif way == "push":
            assert own.request("POST", "/images/load?quiet=1", archive)[0] == 200
            status, body = own.request("POST", f"/images/{host}/box/push?tag=1")
            message = json.loads(body)["message"]
        else:
            status, body = own.request("POST", "/auth", {"username": "x", "password": "y", "serveraddress": host})
            message = json.loads(body)["message"]
        assert (status, message) == (500, f"{host} sent nothing for 1 s")
        assert not skopeos(own)
        mute.setblocking(False)
        mute.accept()[0].close()
        with pytest.raises(BlockingIOError):  # who is not answered once does not ask again
            mute.accept()


def test_a_layer_that_is_another_than_was_announced_is_an_error(own: Service, bad: BadRegistry) -> None:
    bad.blob = lambda handler, data: handler.give(b"x" * len(data))
    assert "match" in error_of(pull(own, f"{bad.host}/box")).lower()
    nothing_half_pulled(own)


@pytest.mark.parametrize(
    "change", ["both", "digest", "foreign", "foreign, spelled otherwise", "foreign, the first time"]
)
def test_a_manifest_that_lies_is_400_and_nothing_is_copied(own: Service, bad: BadRegistry, change: str) -> None:
    if change == "both":
        bad.manifest["manifests"] = [{"mediaType": MANIFEST_TYPE, "digest": bad.slow_layer, "size": 1}]
    elif change == "digest":
        bad.manifest["layers"][0]["digest"] = "../../x"
    elif change == "foreign, the first time":
        foreign = [{**each, "urls": ["http://127.0.0.1:1/layer"]} for each in bad.manifest["layers"]]
        bad.raw = json.dumps({"layers": foreign}).encode()[:-1] + b", " + json.dumps(bad.manifest).encode()[1:]
    else:
        key = "Urls" if change == "foreign, spelled otherwise" else "urls"
        bad.manifest["layers"][0][key] = ["http://127.0.0.1:1/layer"]
    assert pull(own, f"{bad.host}/box")[0] == 400
    assert not [path for path, _ in bad.seen if "/blobs/" in path]
    nothing_half_pulled(own)


def test_credentials_do_not_follow_a_redirect_to_another_host(own: Service, bad: BadRegistry) -> None:
    other = BadRegistry()

    def elsewhere(handler: Any, data: bytes) -> None:
        handler.send_response(307)
        handler.send_header("Location", f"http://localhost:{other.server.server_address[1]}{handler.path}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    bad.blob, bad.challenge = elsewhere, True
    try:
        pull(own, f"{bad.host}/box", **auth(bad.host))
        assert any(header for _, header in bad.seen)
        assert [header for _, header in other.seen] == [None]
    finally:
        other.server.shutdown()
        other.server.server_close()


def said_of(reason: str) -> bytes:
    return json.dumps(
        {"errors": [{"code": reason.split(":")[0].upper(), "message": reason.partition(": ")[2]}]}
    ).encode()


def test_a_registry_that_wants_to_be_asked_less_is_told_of_even_where_it_is_given_up(
    own: Service, bad: BadRegistry
) -> None:
    bad.refusal = (429, said_of("toomanyrequests: You have pulled enough"), {})
    status, (said,) = pull(own, f"{bad.host}/box")
    assert (status, said["message"]) == (500, f"toomanyrequests: {bad.host} answers 429 Too Many Requests for 1 s")
    bad.refusal = (429, said_of("toomanyrequests: You have pulled enough"), {"Retry-After": "0"})
    assert "toomanyrequests: You have pulled enough" in str(pull(own, f"{bad.host}/box")[1][0]["message"])


@pytest.mark.parametrize(
    ("refusal", "docker", "podman", "words"),
    [
        ((404, b"nope"), 404, 404, "manifest unknown"),
        ((404, said_of("name_unknown: not here")), 404, 404, "manifest unknown"),
        ((404, said_of("manifest_unknown: " + 900 * "none\n")), 404, 404, "manifest unknown: none none none"),
        ((401, said_of("unauthorized: " + 3000 * "x")), 403, 401, "unauthorized: xxx"),
        ((403, said_of("denied: " + 3000 * "x")), 404, 403, "pull access denied for {}/box"),
        ((403, said_of("denied: none of yours")), 404, 403, "pull access denied for {}/box, repository does not exist"),
        ((401, said_of("unauthorized: who are you")), 403, 401, "unauthorized"),
        ((500, said_of("unknown: the disk broke")), 500, 500, "500 Internal Server Error"),
        ((503, b"busy"), 500, 500, "503 Service Unavailable"),
    ],
)
def test_what_a_registry_says_has_its_status_and_is_no_traceback(
    own: Service, bad: BadRegistry, refusal: tuple[int, bytes], docker: int, podman: int, words: str
) -> None:
    bad.refusal = (*refusal, {})
    status, (said,) = pull(own, f"{bad.host}/box")
    assert (status, words.format(bad.host) in str(said["message"])) == (docker, True), said
    query = f"reference={bad.host}/box&tlsVerify=false"
    assert own.request("POST", f"/v5.0.0/libpod/images/pull?{query}")[0] == podman
    assert "Traceback" not in own.log()


def test_a_manifest_that_is_too_large_is_400(own: Service, bad: BadRegistry) -> None:
    bad.manifest["annotations"] = {"long": "x" * (4 << 20)}
    status, (said,) = pull(own, f"{bad.host}/box")
    assert (status, "exceeded maximum allowed size of 4194304 bytes" in str(said["message"])) == (400, True)
    assert "Traceback" not in own.log()


def test_a_layer_that_breaks_off_is_an_error_without_paths_of_ours(own: Service, bad: BadRegistry) -> None:
    def cut(handler: Any, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.close_connection = True

    bad.blob = cut
    said = error_of(pull(own, f"{bad.host}/box"))
    assert ("unexpected EOF" in said, str(own.root) in said) == (True, False), said
    nothing_half_pulled(own)


def test_a_digest_that_the_store_cannot_have_is_refused_before_anything_moves(own: Service, bad: BadRegistry) -> None:
    status, (said,) = pull(own, f"{bad.host}/box", "sha512:" + "a" * 128)
    assert (status, "SHA-256" in str(said["message"])) == (501, True)
    assert bad.seen == []


@contextmanager
def slow_pull(service: Service, bad: BadRegistry, **headers: str) -> Iterator[UnixConnection]:
    """A pull that has begun and gets no further."""
    bad.blob = bad.stall
    connection = UnixConnection(service.socket)
    connection.request("POST", f"/images/create?fromImage={bad.host}/box&tag=latest", headers=headers)
    deadline = time.monotonic() + 10
    while not any(bad.slow_layer in path for path, _ in bad.seen):
        assert time.monotonic() < deadline, service.log_tail()
        time.sleep(0.02)
    try:
        yield connection
    finally:
        connection.close()


def test_a_client_that_leaves_ends_its_pull(make_service: Callable[..., Service], bad: BadRegistry) -> None:
    service = make_service("--idle-timeout", "0")
    service.start()
    with slow_pull(service, bad):
        assert skopeos(service)
    nothing_half_pulled(service)


def test_credentials_are_in_no_argument_log_or_readable_file(
    make_service: Callable[..., Service], bad: BadRegistry
) -> None:
    service = make_service("--idle-timeout", "0", "--log-level", "trace")
    service.start()
    bad.challenge = True
    header = auth(bad.host)
    with slow_pull(service, bad, **header):
        assert skopeos(service)
        assert not [line for line in skopeos(service) if PASSWORD.encode() in line]
        (authfile,) = (service.root / "tmp").glob("*/auth.json")
        assert authfile.stat().st_mode & 0o077 == authfile.parent.stat().st_mode & 0o077 == 0
    nothing_half_pulled(service)
    assert PASSWORD not in service.log()
    assert header["X-Registry-Auth"] not in service.log()


def test_a_service_that_is_stopped_in_a_pull_clears_up_first(
    make_service: Callable[..., Service], bad: BadRegistry
) -> None:
    service = make_service("--idle-timeout", "0")
    service.start()
    bad.challenge = True
    with slow_pull(service, bad, **auth(bad.host)):
        assert list((service.root / "tmp").glob("*/auth.json"))
        assert service.terminate() == 0
    assert (list((service.root / "tmp").iterdir()), skopeos(service)) == ([], [])
    assert list((service.root / "copies").iterdir()) == []
    assert "Exception ignored" not in service.log()
    assert "left unfinished" not in service.log()


def test_a_service_killed_in_a_pull_leaves_nothing_and_the_same_pull_works(
    make_service: Callable[..., Service], bad: BadRegistry
) -> None:
    service = make_service("--idle-timeout", "0")
    service.start()
    with slow_pull(service, bad):
        service.kill()
        service.start()
        nothing_half_pulled(service)
    bad.going.set()
    bad.blob = lambda handler, data: handler.give(data)
    status, lines = pull(service, f"{bad.host}/box")
    assert (status, "Downloaded newer image" in str(lines[-1].get("status"))) == (200, True), lines
