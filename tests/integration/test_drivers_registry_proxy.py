"""The proxy between skopeo and a registry, with real servers behind it and a client of HTTP before it."""

from __future__ import annotations

import http.client
import http.server
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from apiserver.drivers.process import Programs
from apiserver.drivers.registry_proxy.connections import Unreachable
from apiserver.drivers.registry_proxy.proxies import ProxiedRegistry, RegistryProxies, registry_proxies
from apiserver.drivers.registry_proxy.server import Proxy, Registry
from apiserver.errors import HostError, ProgramMissing
from tests.support.http_server import Handler, RunningServer
from tests.support.registry import make_certificate

SECRET = "Basic c2VjcmV0"
WORD = "/tmp/of-this-call"
LARGE = os.urandom(5_000_000)


class Server(RunningServer):
    """Answers each request by `answer`, of a handler, its method and path and its body.

    Attributes:
        unread: answers instead, before there was a body.
        going: for that, to wait for.
        seen: method, path, Host and Authorization of each request.
        taken: connections.
        proved: of each request, whether who asks has proved by a certificate who it is.

    Args:
        tls: a directory with its certificate and key, and `client.cert` where it asks for such proof.
    """

    def __init__(self, tls: Path | None = None) -> None:
        self.proved: list[bool] = []
        self.answer: Callable[[Any, str, bytes], None] = lambda handler, path, body: handler.say(200, b"ok")
        self.seen: list[tuple[str, str, str | None, str | None]] = []
        self.bodies: list[bytes] = []
        self.unread: Callable[[Any], None] | None = None
        self.going = threading.Event()
        self.taken = 0
        server = self

        class Answering(Handler):
            def setup(self) -> None:
                server.taken += 1
                super().setup()

            def handle_any(self) -> None:
                seen = (self.command, self.path, self.headers.get("Host"), self.headers.get("Authorization"))
                server.seen.append(seen)
                server.proved.append(tls is not None and bool(self.connection.getpeercert()))
                if server.unread is not None:
                    server.unread(self)
                    return
                body = self.body()
                server.bodies.append(body)
                server.answer(self, self.path, body)

            do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        super().__init__(Answering, tls)

    def url(self, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@asynccontextmanager
async def proxied(
    authority: str,
    *,
    name: str = "r.example",
    insecure: bool = True,
    environment: Mapping[str, str] | None = None,
) -> AsyncGenerator[tuple[Callable[..., Any], RegistryProxies], None]:
    """What asks the proxy of a registry for something, and the proxy."""
    registry = ProxiedRegistry(name, authority, insecure)
    async with registry_proxies(Programs(reactor), [registry], environment or {}, WORD) as proxies:
        connection = http.client.HTTPConnection(proxies.hosts[name], timeout=30)

        def ask(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
            connection.request(method, path, body, {"Authorization": SECRET, **headers})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

        async def asked(*words: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
            return await deferToThread(lambda: ask(*words, **headers))

        try:
            yield asked, proxies
        finally:
            connection.close()


def leads_to(url: str, status: int = 307) -> Callable[[Any, str, bytes], None]:
    return lambda handler, path, body: handler.say(status, Location=url)


@pytest_twisted.ensureDeferred
async def test_a_request_is_the_registrys_with_all_that_belongs_to_it(server: Server) -> None:
    server.answer = lambda handler, path, body: handler.say(200, LARGE, Docker_Content_Digest="x")
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        for _ in range(3):
            status, headers, body = await ask("GET", "/v2/box/blobs/x?a=b", Accept="a/b")
            assert (status, headers["docker-content-digest"], body) == (200, "x", LARGE)
        assert (await ask("HEAD", "/v2/box/blobs/x"))[1]["content-length"] == str(len(LARGE))
    assert server.seen[0] == ("GET", "/v2/box/blobs/x?a=b", f"127.0.0.1:{server.port}", SECRET)
    assert server.taken <= 2  # the first may have been for TLS


@pytest_twisted.ensureDeferred
async def test_an_answer_may_have_more_headers_than_a_hundred(server: Server) -> None:
    many = {f"X-{number}": "x" for number in range(900)}
    server.answer = lambda handler, path, body: handler.say(200, b"ok", **many)
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        _, headers, body = await ask("GET", "/v2/")
    assert (body, [headers.get(name.lower()) for name in many]) == (b"ok", ["x"] * 900)


@pytest_twisted.ensureDeferred
async def test_nobody_is_asked_for_the_first_version_of_the_api(server: Server) -> None:
    """Which skopeo does where a registry is not reached, and waits for once more."""
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        assert (await ask("GET", "/v1/_ping"))[0] == 404
    assert server.seen == []


@pytest.mark.parametrize("chunked", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_body_goes_on_as_it_comes(server: Server, chunked: bool) -> None:
    pieces = [LARGE[at : at + 70_000] for at in range(0, len(LARGE), 70_000)]
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        assert (await ask("PATCH", "/up", iter(pieces) if chunked else LARGE))[0] == 200
        assert (await ask("PUT", "/up"))[0] == 200
    assert server.bodies == [LARGE, b""]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest_twisted.ensureDeferred
async def test_a_redirect_to_another_name_is_followed_without_credentials(
    server: Server, other: Server, method: str, status: int
) -> None:
    server.answer = leads_to(f"{other.url('localhost')}/stored", status)
    async with proxied(f"127.0.0.1:{server.port}") as (ask, proxies):
        assert await ask(method, "/v2/x") == (200, *(await ask(method, "/v2/x"))[1:])
        assert proxies.refused == {}
    assert {(each[0], each[1], each[3]) for each in other.seen} == {(method, "/stored", None)}
    assert {each[3] for each in server.seen} == {SECRET}


@pytest_twisted.ensureDeferred
async def test_another_port_of_the_same_name_may_have_them_and_they_do_not_come_back(
    server: Server, other: Server
) -> None:
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        server.answer = leads_to(f"{other.url()}/there")
        assert (await ask("GET", "/v2/x"))[0] == 200
        assert other.seen[-1][3] == SECRET
        back = leads_to(f"{server.url()}/back")
        other.answer = back
        server.answer = lambda handler, path, body: (
            handler.say(200) if path == "/back" else leads_to(f"{other.url('localhost')}/there")(handler, path, body)
        )
        assert (await ask("GET", "/v2/x"))[0] == 200
    assert [each[3] for each in (*other.seen, server.seen[-1])] == [SECRET, None, None]


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Server]:
    """Behind TLS, trusted by this host by the name `rPORT.example`, which is not where it is; so is `docker.io`."""
    folder = tmp_path / "tls"
    folder.mkdir()
    certificate = make_certificate(folder)
    made = Server(folder)
    trusted = Path("/etc/containers/certs.d") / f"r{made.port}.example"
    trusted.mkdir(parents=True)
    (trusted / "ca.crt").write_bytes(certificate.read_bytes())
    try:
        yield made
    finally:
        for each in trusted.iterdir():
            each.unlink()
        trusted.rmdir()
        made.close()


@pytest_twisted.ensureDeferred
async def test_from_tls_nothing_leads_with_credentials_into_the_clear(secure: Server, other: Server) -> None:
    secure.answer = leads_to(f"{other.url()}/plain")
    name = f"r{secure.port}.example"
    async with proxied(f"127.0.0.1:{secure.port}", name=name, insecure=False) as (ask, _):
        assert (await ask("GET", "/v2/x"))[0] == 200
    assert [each[3] for each in (*secure.seen, *other.seen)] == [SECRET, None]


@pytest_twisted.ensureDeferred
async def test_a_connection_by_tls_is_used_again_though_its_tickets_come_unasked(secure: Server) -> None:
    name = f"r{secure.port}.example"
    async with proxied(f"127.0.0.1:{secure.port}", name=name, insecure=False) as (ask, _):
        for _ in range(3):
            assert (await ask("GET", "/v2/"))[0] == 200
            await deferToThread(lambda: time.sleep(0.1))
    assert (len(secure.seen), secure.taken) == (3, 1)


@pytest_twisted.ensureDeferred
async def test_who_redirects_for_ever_is_left(server: Server) -> None:
    server.answer = leads_to("/v2/again")
    async with proxied(f"127.0.0.1:{server.port}") as (ask, proxies):
        with pytest.raises(http.client.RemoteDisconnected):
            await ask("GET", "/v2/x")
        await proxies.end()
        assert "stopped after 10 redirects" in proxies.unreachable["r.example"][1]
    assert len(server.seen) == 10


@pytest.mark.parametrize(
    ("method", "status"), [("POST", 202), ("POST", 307), ("PATCH", 202), ("PUT", 302), ("DELETE", 308)]
)
@pytest_twisted.ensureDeferred
async def test_an_upload_that_is_to_go_elsewhere_is_refused_and_nothing_goes_on(
    server: Server, other: Server, method: str, status: int
) -> None:
    server.answer = leads_to(f"{other.url('localhost')}/up", status)
    async with proxied(f"127.0.0.1:{server.port}") as (ask, proxies):
        with pytest.raises(http.client.RemoteDisconnected):
            await ask(method, "/v2/x", b"data")
        server.answer = lambda handler, path, body: handler.say(200)
        with pytest.raises(http.client.RemoteDisconnected):
            await ask("GET", "/v2/")
        await proxies.end()
        assert f"another host, {other.url('localhost')}: " in proxies.refused["r.example"]
    assert (other.seen, len(server.seen)) == ([], 1)


@pytest_twisted.ensureDeferred
async def test_an_upload_goes_on_at_the_proxy(server: Server, other: Server) -> None:
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        for location, there in (("/up?a", server), (f"{server.url()}/up?a", server), (f"{other.url()}/up?a", other)):
            server.answer = leads_to(location, 202)
            path = (await ask("POST", "/v2/x"))[1]["location"]
            assert path.startswith("/")
            server.answer = lambda handler, path, body: handler.say(201, Location="https://elsewhere.invalid/")
            assert "location" not in (await ask("PATCH", path, b"x"))[1]
            assert there.seen[-1][:2] == ("PATCH", "/up?a")
            assert there.seen[-1][3] == SECRET


@pytest_twisted.ensureDeferred
async def test_a_token_is_got_through_the_proxy_without_redirects_to_other_names(server: Server, other: Server) -> None:
    """The realm gets the password itself."""
    realm = f"{other.url()}/token?account=x"
    server.answer = lambda handler, path, body: handler.say(401, WWW_Authenticate=f'Bearer realm="{realm}",service="x"')
    async with proxied(f"127.0.0.1:{server.port}") as (ask, proxies):
        status, headers, _ = await ask("GET", "/v2/")
        url = f"http://{proxies.hosts['r.example']}/-/1/token?account=x"
        assert (status, headers["www-authenticate"]) == (401, f'Bearer realm="{url}",service="x"')
        path = url.partition("/-/")[2]
        assert (await ask("GET", f"/-/{path}&scope=s"))[0] == 200
        assert other.seen[-1] == ("GET", "/token?account=x&scope=s", f"127.0.0.1:{other.port}", SECRET)
        other.answer = lambda handler, path, body: (
            handler.say(200) if path == "/there" else handler.say(307, Location=f"{other.url('localhost')}/there")
        )
        assert (await ask("GET", f"/-/{path}"))[0] == 200
        assert [each[3] for each in other.seen] == [SECRET, SECRET, None]
        with pytest.raises(http.client.RemoteDisconnected):
            await ask("POST", f"/-/{path}", b"password=secret")
    assert [each[:2] for each in other.seen[-2:]] == [("GET", "/there"), ("POST", "/token?account=x")]


@pytest_twisted.ensureDeferred
async def test_nobody_but_the_registry_says_whom_it_lets_in(server: Server, other: Server) -> None:
    server.answer = leads_to(f"{other.url('localhost')}/stored")
    other.answer = lambda handler, path, body: handler.say(401, WWW_Authenticate='Bearer realm="http://evil.invalid/"')
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        status, headers, _ = await ask("GET", "/v2/x")
    assert (status, "www-authenticate" in headers) == (401, False)


@pytest.mark.parametrize("chunked", [True, False])
@pytest_twisted.ensureDeferred
async def test_what_breaks_off_breaks_off(server: Server, chunked: bool) -> None:
    def cut(handler: Any, path: str, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "1000")))
        handler.end_headers()
        handler.wfile.write(b"5\r\nhello\r\n" if chunked else b"hello")
        handler.close_connection = True

    server.answer = cut
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        with pytest.raises(http.client.IncompleteRead) as caught:
            await ask("GET", "/v2/x")
    assert caught.value.partial == b"hello"


@pytest.mark.parametrize("location", ["http://[::1/x", "http://r.example:x/", "//[", "http://a..b/"])
@pytest_twisted.ensureDeferred
async def test_where_nothing_leads_there_no_matter_what_a_place_looks_like(server: Server, location: str) -> None:
    server.answer = lambda handler, path, body: handler.say(201, Location=location)
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        assert (await ask("PUT", "/v2/x", b"x"))[0] == 201


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://[::1/x", "redirects to a place that cannot be read"),
        ("http://a..b/", "dial tcp: lookup a..b: no such host"),
        (f"http://{'a' * 64}.example/", "no such host"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_redirect_to_nowhere_is_said(server: Server, location: str, words: str) -> None:
    server.answer = leads_to(location)
    async with proxied(f"127.0.0.1:{server.port}") as (ask, proxies):
        with pytest.raises(http.client.RemoteDisconnected):
            await ask("GET", "/v2/x")
        await proxies.end()
        assert words in str((proxies.refused or proxies.unreachable)["r.example"])


@pytest.mark.parametrize(
    ("authority", "words"),
    [
        ("r.example:99999", "dial tcp: address 99999: invalid port"),
        (f"r.example:{'9' * 5000}", f"dial tcp: address {'9' * 5000}: invalid port"),
        ("[::1]:65536", "dial tcp: address 65536: invalid port"),
        ("[1:2]:5000", "dial tcp: lookup 1:2: no such host"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_registry_where_nothing_can_be_is_not_reached(authority: str, words: str) -> None:
    async with proxied(authority) as (ask, proxies):
        with pytest.raises(http.client.RemoteDisconnected):
            await ask("GET", "/v2/")
        await proxies.end()
        assert proxies.unreachable == {"r.example": (f"http://{authority}", words)}


@pytest.mark.parametrize("times", [1, 3])
@pytest_twisted.ensureDeferred
async def test_what_comes_before_an_answer_is_none(server: Server, times: int) -> None:
    def hint(handler: Any, path: str, body: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * times)
        handler.say(200, b"hello")

    server.answer = hint
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        for method in ("GET", "GET", "PUT"):
            assert (await ask(method, "/v2/x"))[::2] == (200, b"hello")
    assert server.taken <= 2


@pytest_twisted.ensureDeferred
async def test_a_redirect_that_breaks_off_is_followed(server: Server, other: Server) -> None:
    def broken(handler: Any, path: str, body: bytes) -> None:
        handler.send_response(307)
        handler.send_header("Location", f"{other.url()}/there")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nhel")
        handler.close_connection = True

    server.answer = broken
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        assert (await ask("GET", "/v2/x"))[0] == 200


@pytest.mark.parametrize("announced", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_redirect_is_not_waited_for_that_has_much_to_say(
    server: Server, other: Server, announced: bool
) -> None:
    def slow(handler: Any, path: str, body: bytes) -> None:
        handler.send_response(307)
        handler.send_header("Location", f"{other.url()}/there")
        handler.send_header(*(("Content-Length", "100000") if announced else ("Transfer-Encoding", "chunked")))
        handler.end_headers()
        handler.wfile.write(b"5\r\nhello")
        server.going.wait(60)
        handler.close_connection = True

    server.answer = slow
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        assert (await ask("GET", "/v2/x"))[0] == 200
    server.going.set()


@pytest_twisted.ensureDeferred
async def test_after_a_short_redirect_its_connection_is_used_again(server: Server, other: Server) -> None:
    server.answer = lambda handler, path, body: handler.say(307, b"moved", Location=f"{other.url()}/there")
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        for _ in range(3):
            assert (await ask("GET", "/v2/x"))[0] == 200
    assert (server.taken <= 2, other.taken) == (True, 1)  # the first may have been for TLS


@pytest_twisted.ensureDeferred
async def test_a_path_is_asked_for_whole_or_not_at_all(server: Server) -> None:
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        assert (await ask("GET", "/v2/" + "a" * 65_000))[0] == 200
        with pytest.raises(ConnectionError):
            await ask("GET", "/v2/" + "a" * 66_000)
    assert len(server.seen) == 1


def _early(handler: Any, going: threading.Event, *, ends: bool) -> None:
    """Answers before it has had a body, and hears no more."""
    handler.wfile.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello")
    if not ends:
        going.wait(60)
    handler.close_connection = True


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
@pytest_twisted.ensureDeferred
async def test_an_answer_may_come_before_a_body_has_gone(
    server: Server, secure: Server, tls: bool, chunked: bool, ends: bool
) -> None:
    """And what has not gone is no request."""
    chosen = secure if tls else server
    request = b"GET /v2/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    whole = request * (20_000_000 // len(request))
    head = f"PATCH /v2/x HTTP/1.1\r\nHost: x\r\nContent-Length: {len(whole)}\r\n\r\n".encode()
    if chunked:
        head = b"PATCH /v2/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        whole = b"%x\r\n%b\r\n0\r\n\r\n" % (len(whole), whole)
    name = f"r{chosen.port}.example"
    async with proxied(f"127.0.0.1:{chosen.port}", name=name, insecure=not tls) as (ask, proxies):
        assert (await ask("GET", "/v2/"))[0] == 200
        chosen.unread = lambda handler: _early(handler, chosen.going, ends=ends)

        def send() -> bytes:
            host, _, port = proxies.hosts[name].partition(":")
            with socket.create_connection((host, int(port)), timeout=20) as near:
                near.sendall(head + whole)
                near.shutdown(socket.SHUT_WR)
                said = b""
                while data := near.recv(65536):
                    said += data
                return said

        said = await deferToThread(send)
        chosen.going.set()
    assert (said[:12], said[-5:]) == (b"HTTP/1.1 413", b"hello")
    assert [each[1] for each in chosen.seen] == ["/v2/", "/v2/x"]


@pytest_twisted.ensureDeferred
async def test_what_ends_with_its_connection_is_whole(server: Server) -> None:
    def old(handler: Any, path: str, body: bytes) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nhello")
        handler.close_connection = True

    server.answer = old
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        for _ in range(2):
            assert (await ask("GET", "/v2/x"))[::2] == (200, b"hello")


@pytest_twisted.ensureDeferred
async def test_a_connection_that_the_registry_has_closed_is_made_anew(server: Server) -> None:
    def once(handler: Any, path: str, body: bytes) -> None:
        handler.say(200, b"ok")
        handler.close_connection = True  # and does not say so

    server.answer = once
    async with proxied(f"127.0.0.1:{server.port}") as (ask, _):
        for number in range(4):
            assert (await ask("PATCH" if number % 2 else "GET", "/v2/x", b"x" if number % 2 else None))[0] == 200
            await deferToThread(lambda: time.sleep(0.2))  # until its end has come


@pytest.mark.parametrize(
    ("authority", "insecure", "place", "words"),
    [
        ("127.0.0.1:1", False, "https://{}", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("127.0.0.1:1", True, "http://{}", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("nobody.invalid", False, "https://{}", "dial tcp: lookup nobody.invalid: no such host"),
        ("{plain}", False, "https://{}", "http: server gave HTTP response to HTTPS client"),
        (
            *("{untrusted}", False, "https://{}"),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_why_a_registry_is_not_reached_is_said(
    server: Server, tmp_path: Path, authority: str, insecure: bool, place: str, words: str
) -> None:
    make_certificate(tmp_path)
    untrusted = Server(tmp_path)
    try:
        known = authority.format(plain=f"127.0.0.1:{server.port}", untrusted=f"localhost:{untrusted.port}")
        async with proxied(known, insecure=insecure) as (ask, proxies):
            with pytest.raises(http.client.RemoteDisconnected):
                await ask("GET", "/v2/")
            await proxies.end()
            assert proxies.unreachable["r.example"] == (place.format(known), words)
            host = proxies.hosts["r.example"]
            said = f'pinging container registry {host}: Get "http://{host}/v2/": EOF'
            assert proxies.unmasked(said) == f'pinging container registry r.example: Get "{place}/v2/": {words}'.format(
                known
            )
        assert (server.seen, untrusted.seen) == ([], [])
    finally:
        untrusted.close()


@pytest_twisted.ensureDeferred
async def test_who_is_insecure_may_have_any_certificate(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    untrusted = Server(tmp_path)
    try:
        async with proxied(f"localhost:{untrusted.port}") as (ask, _):
            assert (await ask("GET", "/v2/"))[0] == 200
    finally:
        untrusted.close()


def certified(folder: Path, name: str, by: str | None, extension: str) -> bytes:
    """`NAME.pem`, signed by another one of the folder, or by itself; with `NAME.key`."""
    key, request, certificate = (str(folder / f"{name}.{kind}") for kind in ("key", "csr", "pem"))
    (folder / "extension").write_text(extension)
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
    subprocess.run([*new, "-out", request, "-subj", f"/CN={name}"], check=True, capture_output=True)
    signer = ["-signkey", key]
    if by is not None:
        signer = ["-CA", str(folder / f"{by}.pem"), "-CAkey", str(folder / f"{by}.key"), "-CAcreateserial"]
    words = ["openssl", "x509", "-req", "-in", request, *signer, "-extfile", str(folder / "extension")]
    subprocess.run([*words, "-out", certificate, "-days", "2"], check=True, capture_output=True)
    return Path(certificate).read_bytes()


@pytest_twisted.ensureDeferred
async def test_who_we_are_is_proved_to_the_host_of_the_registry_alone(tmp_path: Path) -> None:
    """On any port: its token server may be there. skopeo proves it to whoever asks."""
    make_certificate(tmp_path)
    client = certified(tmp_path, "client", None, "basicConstraints=critical,CA:TRUE")
    (tmp_path / "client.cert").write_bytes(client)
    servers = registry, there, elsewhere = Server(tmp_path), Server(tmp_path), Server(tmp_path)
    registry.answer = leads_to(f"{there.url('localhost')}/there")
    there.answer = leads_to(f"{elsewhere.url()}/elsewhere")
    name = f"localhost:{registry.port}"
    directory = Path("/etc/containers/certs.d") / name
    directory.mkdir(parents=True)
    (directory / "ca.crt").write_bytes((tmp_path / "cert.pem").read_bytes())
    for each in ("client.cert", "client.key"):
        (directory / each).write_bytes((tmp_path / each).read_bytes())
    try:
        async with proxied(name, name=name, insecure=False) as (ask, _):
            assert (await ask("GET", "/v2/"))[0] == 200
    finally:
        shutil.rmtree(directory)
        for server in servers:
            server.close()
    assert [each.proved for each in servers] == [[True], [True], [False]]


@pytest.mark.parametrize(
    ("trusted", "names", "words"),
    [
        ("root", "IP:127.0.0.1,DNS:localhost", None),
        ("between", "IP:127.0.0.1,DNS:localhost", None),
        ("localhost", "IP:127.0.0.1,DNS:localhost", None),
        ("root", "DNS:r.example", "Hostname mismatch"),
        ("root", "", "Hostname mismatch"),  # what `CN` says is no name
    ],
)
@pytest_twisted.ensureDeferred
async def test_whom_certs_d_has_may_be_anywhere_in_a_chain(
    tmp_path: Path, trusted: str, names: str, words: str | None
) -> None:
    authority = "basicConstraints=critical,CA:TRUE"
    made = {"root": certified(tmp_path, "root", None, authority)}
    made["between"] = certified(tmp_path, "between", "root", authority)
    made["localhost"] = certified(tmp_path, "localhost", "between", f"subjectAltName={names}" if names else "")
    (tmp_path / "cert.pem").write_bytes(made["localhost"] + made["between"])
    (tmp_path / "localhost.key").rename(tmp_path / "key.pem")
    server = Server(tmp_path)
    directory = Path("/etc/containers/certs.d") / f"localhost:{server.port}"
    directory.mkdir(parents=True)
    (directory / "ca.crt").write_bytes(made[trusted])
    try:
        name = f"localhost:{server.port}"
        async with proxied(name, name=name, insecure=False) as (ask, proxies):
            if words is None:
                assert (await ask("GET", "/v2/"))[0] == 200
                return
            with pytest.raises(http.client.RemoteDisconnected):
                await ask("GET", "/v2/")
            await proxies.end()
            assert words in proxies.unreachable[name][1]
    finally:
        (directory / "ca.crt").unlink()
        directory.rmdir()
        server.close()


@pytest_twisted.ensureDeferred
async def test_a_registry_that_is_there_again_was_not_the_reason(server: Server) -> None:
    def drop(handler: Any, path: str, body: bytes) -> None:
        handler.close_connection = True

    async with proxied(f"127.0.0.1:{server.port}") as (ask, proxies):
        server.answer = drop
        with pytest.raises(http.client.RemoteDisconnected):
            await ask("PATCH", "/v2/x", b"x")
        server.answer = lambda handler, path, body: handler.say(200)
        assert (await ask("GET", "/v2/x"))[0] == 200
        await proxies.end()
        assert proxies.unreachable == {}


def test_that_it_is_there_again_is_said_after_that_it_was_not() -> None:
    said: list[str] = []
    telling, going = threading.Event(), threading.Event()

    def tell(what: str, text: str) -> None:
        if what == "unreachable":
            telling.set()
            going.wait(10)
        said.append(what)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Proxy(listening, Registry("r", "r.example", False), {}, lambda _: True, tell)
        first = threading.Thread(target=proxy.unreachable, args=("https://r.example", Unreachable("EOF")))
        first.start()
        assert telling.wait(10)
        second = [threading.Thread(target=proxy.reached) for _ in range(2)]
        for each in second:
            each.start()
            each.join(0.1)
        going.set()
        for each in (first, *second):
            each.join(10)
    assert said == ["unreachable", "reached"]


@pytest_twisted.ensureDeferred
async def test_the_proxy_of_the_host_is_asked_on_the_way(server: Server) -> None:
    environment = {"HTTP_PROXY": f"http://me:s%40id@127.0.0.1:{server.port}"}
    async with proxied("r.invalid", environment=environment) as (ask, _):
        server.answer = lambda handler, path, body: handler.say(200, handler.headers["Proxy-Authorization"].encode())
        assert (await ask("GET", "/v2/"))[::2] == (200, b"Basic bWU6c0BpZA==")
    assert server.seen[-1] == ("GET", "http://r.invalid/v2/", "r.invalid", SECRET)


@pytest_twisted.ensureDeferred
async def test_by_tls_the_proxy_of_the_host_hears_no_more_than_a_name(secure: Server) -> None:
    asked: list[bytes] = []

    def tunnel(listening: socket.socket) -> None:
        near, _ = listening.accept()
        asked.append(near.recv(65536))
        far = socket.create_connection(("127.0.0.1", secure.port))
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        def move(source: socket.socket, target: socket.socket) -> None:
            while data := source.recv(65536):
                target.sendall(data)
            with suppress(OSError):  # the other one has closed already
                target.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=move, args=(far, near))
        back.start()
        move(near, far)
        back.join()
        near.close()
        far.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        going = threading.Thread(target=tunnel, args=(listening,))
        going.start()
        environment = {"HTTPS_PROXY": f"http://127.0.0.1:{listening.getsockname()[1]}"}
        # An address of this machine would go there directly.
        async with proxied("r.invalid", environment=environment) as (ask, _):
            assert (await ask("GET", "/v2/"))[0] == 200
        going.join(10)
    assert asked[0].startswith(b"CONNECT r.invalid:443 HTTP/1.")
    assert SECRET.encode() not in asked[0]
    assert secure.seen[-1][2:] == ("r.invalid", SECRET)


@pytest_twisted.ensureDeferred
async def test_only_the_service_and_what_it_has_started_for_this_call_are_served(server: Server) -> None:
    """Not its children's children, as what runs in a container with the host's network; nor another user.

    skopeo of another call comes where its registry redirects it, and would be lent what is this one's.
    """
    async with proxied(f"127.0.0.1:{server.port}") as (ask, proxies):
        assert (await ask("GET", "/v2/"))[0] == 200
        asks = (
            "import http.client, sys; asked = http.client.HTTPConnection(sys.argv[1]); asked.request('GET', '/v2/');"
            " print(end=asked.getresponse().read().decode())"
        )
        program = [sys.executable, "-IS", "-c", asks, proxies.hosts["r.example"]]

        async def served(*before: str, word: str = WORD) -> str:
            words = [*before, *program, word]
            done = await deferToThread(lambda: subprocess.run(words, capture_output=True, text=True, check=False))
            return done.stdout

        assert await served() == "ok"
        assert await served(word="/tmp/of-another") == ""
        assert await served("sh", "-c", '"$@"; true', "sh") == ""
        assert await served("setpriv", "--reuid", "65534", "--clear-groups") == ""
    assert len(server.seen) == 2


@pytest_twisted.ensureDeferred
async def test_a_registry_has_the_same_proxy_again_unless_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def hosts(*proxies: RegistryProxies) -> list[str]:
        return [each.hosts["r.example"] for each in proxies]

    async with proxied("127.0.0.1:1") as (_, first), proxied("127.0.0.1:1") as (_, second):
        (one, two) = hosts(first, second)
    async with proxied("127.0.0.1:1") as (_, third), proxied("127.0.0.1:2") as (_, fourth):
        (again, another) = hosts(third, fourth)
    assert (one, one != two, another not in (one, two)) == (again, True, True)
    (tmp_path / "machine-id").write_text("another machine")
    monkeypatch.setattr("apiserver.drivers.registry_proxy.proxies._MACHINE_ID", tmp_path / "machine-id")
    async with proxied("127.0.0.1:1") as (_, elsewhere):
        assert hosts(elsewhere) != [one]


@pytest_twisted.ensureDeferred
async def test_that_it_does_not_work_is_an_error_and_no_port_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apiserver.drivers.registry_proxy.proxies._PROGRAM", Path("/nothing/there.py"))
    async with proxied("127.0.0.1:1") as (ask, proxies):
        with pytest.raises(HostError, match=r"^the proxy of a registry has failed: exit status 2: host error$"):
            await proxies.end()
        with pytest.raises(ConnectionRefusedError):
            await ask("GET", "/v2/")


async def begun(programs: Programs) -> None:
    async with registry_proxies(programs, [ProxiedRegistry("r.example", "127.0.0.1:1", True)], {}, WORD):
        raise AssertionError


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_started_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apiserver.drivers.registry_proxy.proxies._DIES_WITH_US", ("nothing-there",))
    with pytest.raises(ProgramMissing, match=r"^nothing-there is not installed"):
        await begun(Programs(reactor))


@pytest.mark.parametrize("more", [0, 1])  # none for its socket, or for its pipes
@pytest_twisted.ensureDeferred
async def test_so_it_is_that_there_are_too_many_open_files(more: int) -> None:
    programs = Programs(reactor)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(free := os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, before[1]))
    try:
        with pytest.raises(HostError, match=r"^the proxy of a registry cannot be started: Too many open files"):
            await begun(programs)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest_twisted.ensureDeferred
async def test_nobody_else_can_listen_where_it_was_while_skopeo_goes_on() -> None:
    async with proxied("127.0.0.1:1") as (ask, proxies):
        (running,) = proxies._children
        host, _, port = proxies.hosts["r.example"].partition(":")
        with socket.socket() as left:
            left.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            running.kill()
            await running.exited()
            with pytest.raises(OSError, match="Address already in use"):  # noqa: PT012  # either of both says so
                left.bind((host, int(port)))
                left.listen()
        with pytest.raises(ConnectionRefusedError):
            await ask("GET", "/v2/")
    with socket.create_server((host, int(port))):
        pass


@pytest_twisted.ensureDeferred
async def test_it_listens_elsewhere_where_somebody_is_there_already() -> None:
    """Whether that is seen when the address is taken, or only when it is listened at."""
    async with proxied("127.0.0.1:1") as (_, proxies):
        host, _, port = proxies.hosts["r.example"].partition(":")
    with socket.create_server((host, int(port))):
        async with proxied("127.0.0.1:1") as (_, proxies):
            assert proxies.hosts["r.example"] not in ("", f"{host}:{port}")
    with socket.create_server(("0.0.0.0", int(port))):
        async with proxied("127.0.0.1:1") as (_, proxies):
            assert proxies.hosts["r.example"] not in ("", f"{host}:{port}")
