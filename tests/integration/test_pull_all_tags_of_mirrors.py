"""All tags of a repository whose registry is away are those of the first mirror that answers."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.test_pull_docker import auth, pull
from tests.support.image_archive import busybox_image
from tests.support.registry import DockerRegistry, docker_registry, free_port
from tests.support.service import Service

Configured = Callable[[str], Service]
BOTH = ["away.invalid/tags:1", "away.invalid/tags:2"]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("mirror")) as running:
        for tag in "12":
            running.put_image("tags", tag, busybox_image())
        yield running


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("protected"), protected=True) as running:
        for tag in "12":
            running.put_image("tags", tag, busybox_image())
        yield running


@pytest.fixture
def configured(make_service: Callable[..., Service], tmp_path: Path) -> Configured:
    """A service on a host with this registries.conf, which waits a second for a registry."""

    def start(conf: str) -> Service:
        path = tmp_path / "registries.conf"
        path.write_text(conf)
        service = make_service("--idle-timeout", "0", "--registry-timeout", "1")
        service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(path)})
        return service

    return start


def entry(*mirrors: str, location: str = "", more: str = "") -> str:
    at = f'location = "{location}"\n' if location else 'location = "away.invalid"\n'
    return f'[[registry]]\nprefix = "away.invalid"\ninsecure = true\n{at}{more}' + "".join(
        f'[[registry.mirror]]\nlocation = "{each}"\ninsecure = true\n' for each in mirrors
    )


def names(service: Service) -> list[str]:
    images = json.loads(service.request("GET", "/images/json")[1])
    return sorted(name for image in images for name in image["RepoTags"])


@contextmanager
def answering(status: int, headers: dict[str, str] | None = None) -> Iterator[str]:
    """A registry that answers any request for tags like that; its `HOST:PORT`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            listing = self.path.endswith("/tags/list")
            self.send_response(status if listing else 200)
            for name, value in (headers or {}).items() if listing else ():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def dead() -> str:
    """Where nobody listens."""
    return f"127.0.0.1:{free_port()}"


def test_a_mirror_is_asked_where_nobody_answers_and_the_first_that_does_counts(
    configured: Configured, mirror: DockerRegistry, dead: str
) -> None:
    service = configured(entry(dead, mirror.host))
    status, said = pull(service, "away.invalid/tags", "")
    assert (status, said[-1]["status"]) == (200, "Status: Downloaded newer image for away.invalid/tags")
    assert names(service) == BOTH
    assert f"the tags of away.invalid/tags are those of its mirror {mirror.host}/tags" in service.log()


def test_a_mirror_gets_its_own_credentials(configured: Configured, protected: DockerRegistry) -> None:
    service = configured(entry(protected.host))
    status, (said,) = pull(service, "away.invalid/tags", "")
    assert (status, "away.invalid" in str(said["message"])) == (500, True)
    assert pull(service, "away.invalid/tags", "", **auth("away.invalid"))[0] == 500
    assert pull(service, "away.invalid/tags", "", **auth(protected.host))[0] == 200
    assert names(service) == BOTH


def test_a_registry_that_says_nothing_is_away_too(configured: Configured, mirror: DockerRegistry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        location = f"127.0.0.1:{silent.getsockname()[1]}"
        service = configured(entry(mirror.host, location=location, more="mirror-by-digest-only = true\n"))
        assert pull(service, "away.invalid/tags", "")[0] == 500
        service = configured(entry(mirror.host, location=location))
        assert pull(service, "away.invalid/tags", "")[0] == 200
    assert names(service) == BOTH


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((404, {}), 404),
        ((401, {"WWW-Authenticate": 'Basic realm="x"'}), 403),
        ((403, {}), 404),
        ((500, {}), 500),
        ((302, {"Location": "ftp://away.invalid/tags"}), 500),
    ],
)
def test_what_a_registry_answers_is_its_answer_and_no_mirror_is_asked(
    configured: Configured, mirror: DockerRegistry, answer: tuple[int, dict[str, str]], status: int
) -> None:
    with answering(*answer) as location:
        service = configured(entry(mirror.host, location=location))
        assert pull(service, "away.invalid/tags", "")[0] == status
    assert names(service) == []


@pytest.mark.parametrize("why", ["digest-only", "mirror-by-digest-only", "blocked"])
def test_a_mirror_that_is_for_digests_alone_or_blocked_is_not_asked(
    configured: Configured, mirror: DockerRegistry, why: str
) -> None:
    conf = {
        "digest-only": entry(mirror.host) + 'pull-from-mirror = "digest-only"\n',
        "mirror-by-digest-only": entry(mirror.host, more="mirror-by-digest-only = true\n"),
        "blocked": entry(mirror.host) + f'[[registry]]\nlocation = "{mirror.host}"\nblocked = true\n',
    }[why]
    status, (said,) = pull(configured(conf), "away.invalid/tags", "")
    assert (status, "away.invalid" in str(said["message"])) == (500, True)


def test_a_mirror_is_asked_alone_where_the_registry_is_blocked(configured: Configured, mirror: DockerRegistry) -> None:
    service = configured(entry(mirror.host, more="blocked = true\n"))
    assert pull(service, "away.invalid/tags", "")[0] == 200
    assert names(service) == BOTH


def test_where_all_are_away_the_registrys_own_words_are_told(configured: Configured, dead: str) -> None:
    status, (said,) = pull(configured(entry(dead)), "away.invalid/tags", "")
    assert (status, "away.invalid" in str(said["message"]), dead in str(said["message"])) == (500, True, False)
