"""Class 22: where a registry sends a client for a token, credentials go by TLS or not at all."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_pull_docker import auth, pull
from tests.integration.test_push import push
from tests.support.host_files import with_host_files
from tests.support.image_archive import busybox_image, docker_archive
from tests.support.registry import PASSWORD, USERNAME, make_certificate
from tests.support.service import Service


class Registry:
    """Behind TLS; it lets nobody in, and sends whoever asks to one of its two token servers.

    Attributes:
        plain: the token server without TLS, as a URL; `secure` has TLS.
        token: the path of both.
        seen: what reached each, `(name, Authorization)`.
    """

    def __init__(self, folder: Path) -> None:
        self.ca = make_certificate(folder)
        self.seen: list[tuple[str, str | None]] = []
        self.realm, self.token = "", "/token"
        self._servers: list[http.server.ThreadingHTTPServer] = []
        self.plain = f"http://127.0.0.1:{self._serve('plain', None)}"
        self.secure = f"https://127.0.0.1:{self._serve('secure', folder)}"
        self.host = f"127.0.0.1:{self._serve('registry', folder)}"

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _serve(self, name: str, tls: Path | None) -> int:
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def answer(self) -> None:
                registry.seen.append((name, self.headers.get("Authorization")))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b"" if name == "registry" else json.dumps({"token": "t", "access_token": "t"}).encode()
                self.send_response(401 if name == "registry" else 200)
                if name == "registry":
                    self.send_header("WWW-Authenticate", f'Bearer realm="{registry.realm}{registry.token}",service="x"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_HEAD = answer  # noqa: N815

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        port: int = server.server_address[1]
        return port


@contextmanager
def trusted(registry: Registry) -> Iterator[None]:
    """By the host's certs.d; the tests have a mount namespace of their own, and the directory is taken away again."""
    directory = Path("/etc/containers/certs.d") / registry.host
    directory.mkdir(parents=True)
    shutil.copy(registry.ca, directory / "ca.crt")
    try:
        yield
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path)
    try:
        with trusted(made):
            yield made
    finally:
        made.close()


def load(service: Service, name: str) -> None:
    assert service.request("POST", "/images/load", docker_archive(busybox_image(name)))[0] == 200


def say(service: Service, registry: Registry, way: str) -> tuple[int, str]:
    """Status and message of one way to use credentials."""
    if way == "login":
        body = {"username": USERNAME, "password": PASSWORD, "serveraddress": registry.host}
        status, answer = service.request("POST", "/auth", body)
        return status, str(json.loads(answer)["message"])
    said: list[dict[str, Any]]
    if way == "pull":
        status, said = pull(service, f"{registry.host}/box", **auth(registry.host))
    else:
        load(service, f"{registry.host}/box:1")
        status, said = push(service, f"/images/{registry.host}/box/push?tag=1", **auth(registry.host))
    return status, str(said[0]["message"])


@pytest.mark.parametrize("token", ["/token", "/v2/"])
@pytest.mark.parametrize("way", ["pull", "push", "login"])
def test_credentials_never_go_to_a_plain_realm_of_a_registry_behind_tls(
    service: Service, registry: Registry, way: str, token: str
) -> None:
    """Not even where its path is the one that each registry is asked first."""
    registry.realm, registry.token = registry.plain, token
    status, message = say(service, registry, way)
    assert (status, f"wants credentials at {registry.plain}" in message) == (500, True)
    assert {authorization for name, authorization in registry.seen if name == "plain"} <= {None}
    assert PASSWORD not in message


@pytest.mark.parametrize("way", ["pull", "login"])
def test_nor_where_its_address_is_long(service: Service, registry: Registry, way: str) -> None:
    registry.realm, registry.token = registry.plain, "/" + "a" * 65_400
    status, message = say(service, registry, way)
    assert (status, "where anybody could read them" in message) == (500, True), message
    assert [name for name, _ in registry.seen if name == "plain"] == []


@pytest.mark.parametrize("way", ["pull", "push", "login"])
def test_a_realm_behind_tls_gets_them(service: Service, registry: Registry, way: str) -> None:
    """Else the test above would pass where none are ever sent."""
    registry.realm = registry.secure
    say(service, registry, way)
    assert any(name == "secure" and (given or "").startswith("Basic ") for name, given in registry.seen)


@pytest.mark.parametrize("where", ["/run/containers/0/auth.json", "/root/.docker/config.json", "named"])
def test_the_hosts_credentials_do_not_go_there_either(
    make_service: Callable[..., Service], registry: Registry, tmp_path: Path, where: str
) -> None:
    registry.realm = registry.plain
    pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    content = json.dumps({"auths": {registry.host: {"auth": pair}}})
    named = tmp_path / "named.json"
    named.write_text(content)
    files = {} if where == "named" else {where: content}
    service = make_service("--idle-timeout", "0", wrapper=with_host_files(tmp_path / "host", files))
    service.start(environment={"REGISTRY_AUTH_FILE": str(named)} if where == "named" else {})
    status, said = pull(service, f"{registry.host}/box")
    assert (status, f"wants credentials at {registry.plain}" in str(said[0]["message"])) == (500, True)
    assert {authorization for name, authorization in registry.seen if name == "plain"} <= {None}
