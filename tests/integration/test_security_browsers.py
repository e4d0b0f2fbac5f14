"""What a page in a browser on this machine cannot do to a service that listens on TCP."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.image_archive import busybox_image, docker_archive
from tests.support.service import Service

PAGE = "https://console.example"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def open_to_a_page() -> int:
    """Another port, of a service that one origin may call."""
    return free_port()


@pytest.fixture(scope="module")
def services(port: int, open_to_a_page: int) -> Iterator[tuple[Service, Service]]:
    both = tuple(
        Service("--idle-timeout", "0", "--listen", f"tcp:{number}:interface=127.0.0.1", *more)
        for number, more in ((port, ()), (open_to_a_page, ("--cors", PAGE)))
    )
    for each in both:
        each.start()
    yield both[0], both[1]
    for each in both:
        each.close()


pytestmark = pytest.mark.usefixtures("services")


def ask(
    port: int, method: str = "GET", path: str = "/containers/json", body: bytes | None = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Header names are written with `_` for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "127.0.0.1:99", "localhost."])
def test_a_client_that_names_this_machine_is_served(port: int, host: str) -> None:
    assert ask(port, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:2375", "localhost.evil.example", "127.0.0.1.evil.example", "", "a@localhost", "x y"],
)
def test_a_name_that_was_rebound_to_this_machine_is_403(port: int, host: str) -> None:
    for method, path in (("GET", "/containers/json"), ("POST", "/containers/create"), ("GET", "/_ping")):
        status, _, body = ask(port, method, path, Host=host)
        assert status in (400, 403)
        assert json.loads(body)["message"]
    assert ask(port, Host="evil.example")[0] == 403


def test_an_origin_is_403_whichever_it_is(port: int) -> None:
    for origin in (PAGE, "null", "http://localhost", f"http://127.0.0.1:{port}"):
        status, headers, _ = ask(port, "POST", "/containers/create", b"{}", Origin=origin)
        assert status == 403
        assert "Access-Control-Allow-Origin" not in headers


def test_a_form_or_plain_text_is_403_since_browsers_send_them_unasked(
    services: tuple[Service, Service], port: int
) -> None:
    body = json.dumps({"Image": "busybox", "Cmd": ["true"]}).encode()
    for kind in (
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/plain;charset=UTF-8",
        "TEXT/PLAIN",
    ):
        assert ask(port, "POST", "/containers/create", body, Content_Type=kind)[0] == 403
    assert services[0].containers() == []


def test_the_docker_command_imports_and_loads(port: int, tmp_path: Path) -> None:
    """What it imports it sends as plain text."""
    docker = Docker(f"tcp://127.0.0.1:{port}", tmp_path)
    archive = docker_archive(busybox_image("loaded:latest"))
    docker.ok("load", input=archive)
    docker.ok("import", "-", "imported", input=archive)
    assert set(docker.ok("images", "--format", "{{.Repository}}").split()) >= {"loaded", "imported"}


def test_what_a_browser_says_another_site_asks_is_403(port: int, open_to_a_page: int) -> None:
    """A Blob without a type has no content type, and an image no origin."""
    for site in ("cross-site", "same-site"):
        assert ask(port, "POST", "/containers/create", b"{}", Sec_Fetch_Site=site)[0] == 403
        assert ask(port, "GET", "/containers/json", Sec_Fetch_Site=site)[0] == 403
    assert ask(port, Sec_Fetch_Site="none")[0] == 200
    assert ask(open_to_a_page, Sec_Fetch_Site="cross-site", Origin=PAGE)[0] == 200


def test_a_unix_socket_takes_forms_and_any_host(services: tuple[Service, Service]) -> None:
    status, body = services[0].request("POST", "/containers/create", {"Image": "nope", "Cmd": ["true"]})
    assert (status, b"No such image" in body) == (404, True)


def test_only_the_configured_origin_may_call(open_to_a_page: int) -> None:
    status, headers, _ = ask(open_to_a_page, Origin=PAGE)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    for origin in ("https://evil.example", f"{PAGE}.evil.example", PAGE.upper(), "null", "*"):
        assert ask(open_to_a_page, Origin=origin)[0] == 403
        assert ask(open_to_a_page, "OPTIONS", Origin=origin)[0] == 403
    assert ask(open_to_a_page, "OPTIONS", Origin=PAGE)[0] == 204


def test_headers_that_a_page_can_set_reach_no_second_answer(port: int) -> None:
    """A reference id goes into a header of the answer."""
    status, headers, _ = ask(port, X_Reference_Id="a\tSet-Cookie: x=y" + "x" * 5000)
    assert status == 200
    assert "Set-Cookie" not in headers
    assert len(headers["X-Reference-Id"]) < 200
