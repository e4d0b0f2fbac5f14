"""Two clients that pull the same image share the work, counted where the blobs are fetched."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.test_pull_bad_registry import IMAGE, BadRegistry, nothing_half_pulled, skopeos
from tests.support.outside import until
from tests.support.service import Service, UnixConnection

DOCKER = "/v1.44/images/create?tag=latest&fromImage={}/box"
PODMAN = "/v5.0.0/libpod/images/pull?tlsVerify=false&reference={}/box"


@pytest.fixture
def slow() -> Iterator[BadRegistry]:
    """It sends the second half of the layer once `going` is set."""
    registry = BadRegistry()

    def half(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.wfile.flush()
        registry.going.wait(60)
        handler.wfile.write(data[len(data) // 2 :])

    registry.blob = half
    yield registry
    registry.going.set()
    registry.server.shutdown()
    registry.server.server_close()


@pytest.fixture
def own(make_service: Callable[..., Service]) -> Service:
    service = make_service("--idle-timeout", "0")
    service.start()
    return service


def fetched(registry: BadRegistry) -> list[str]:
    """Digests in the order in which they were asked for."""
    return [path.rpartition("/")[2] for path, _ in registry.seen if "/blobs/" in path]


def begin(service: Service, registry: BadRegistry, path: str) -> tuple[UnixConnection, http.client.HTTPResponse]:
    """A pull whose layer is on its way, and its answer that has begun."""
    connection = UnixConnection(service.socket)
    connection.request("POST", path.format(registry.host))
    until(lambda: registry.slow_layer in fetched(registry), "the layer is asked for")
    return connection, connection.getresponse()


def last_line(answer: http.client.HTTPResponse) -> dict[str, object]:
    line: dict[str, object] = json.loads(answer.read().splitlines()[-1])
    return line


@pytest.mark.parametrize(("first", "second"), [(DOCKER, DOCKER), (PODMAN, PODMAN)])
def test_two_at_once_fetch_each_blob_once_and_both_get_the_image(
    own: Service, slow: BadRegistry, first: str, second: str
) -> None:
    one, answer = begin(own, slow, first)
    two, other = begin(own, slow, second)
    slow.going.set()
    for said in (last_line(answer), last_line(other)):
        assert said.get("id") == IMAGE.id or "Downloaded newer image" in str(said.get("status"))
    assert sorted(fetched(slow)) == sorted(slow.blobs)
    one.close()
    two.close()


SKOPEO = """#!{python}
import os, socket, subprocess, sys

done = subprocess.run([{skopeo!r}, *sys.argv[1:]])
if "copy" in sys.argv and os.path.exists({removals!r}):
    with open({removals!r}, "r+") as file:
        left = int(file.read())
        file.seek(0)
        file.write(str(max(left - 1, 0)))
    if left:
        with socket.socket(socket.AF_UNIX) as service:
            service.connect({socket!r})
            service.sendall(b"DELETE /images/{name} HTTP/1.1\\r\\nHost: d\\r\\nConnection: close\\r\\n\\r\\n")
            while service.recv(4096):
                pass
sys.exit(done.returncode)
"""
"""The real one, with a client that removes what was copied before the service looks at it."""


@pytest.mark.parametrize(("removals", "status"), [(1, "Downloaded newer image"), (2, None)])
def test_an_image_that_is_removed_while_it_is_pulled_is_pulled_once_more(
    make_service: Callable[..., Service], slow: BadRegistry, tmp_path: Path, removals: int, status: str | None
) -> None:
    slow.going.set()
    skopeo, real, left = (tmp_path / name for name in ("skopeo", "real", "removals"))
    installed = shutil.which("skopeo")
    assert installed is not None
    shutil.copy(installed, real)
    over = f'mount --bind {skopeo} {os.path.realpath(installed)} && exec "$@"'
    service = make_service(
        "--idle-timeout", "0", wrapper=("unshare", "--mount", "--propagation", "private", "sh", "-c", over, "sh")
    )
    words = {"python": sys.executable, "skopeo": str(real), "removals": str(left)}
    skopeo.write_text(SKOPEO.format(**words, socket=str(service.socket), name=f"{slow.host}/box"))
    skopeo.chmod(0o755)
    left.write_text(str(removals))
    service.start()
    _, body = service.request("POST", DOCKER.format(slow.host))
    said = json.loads(body.splitlines()[-1])
    if status is not None:
        assert status in said["status"]
        assert service.request("GET", f"/images/{slow.host}/box/json")[0] == 200
    else:
        assert "was taken from the store while it was pulled" in said["error"]
    assert left.read_text() == "0"


def test_one_that_leaves_does_not_end_the_other_one(own: Service, slow: BadRegistry) -> None:
    leaving, _ = begin(own, slow, DOCKER)
    staying, answer = begin(own, slow, DOCKER)
    leaving.close()
    until(lambda: own.request("GET", "/_ping")[0] == 200, "the service goes on")
    assert skopeos(own)
    slow.going.set()
    assert "Downloaded newer image" in str(last_line(answer))
    assert sorted(fetched(slow)) == sorted(slow.blobs)
    staying.close()


def test_the_last_that_leaves_ends_the_pull_and_nothing_stays(own: Service, slow: BadRegistry) -> None:
    for connection in [begin(own, slow, DOCKER)[0] for _ in range(2)]:
        assert skopeos(own)
        connection.close()
    nothing_half_pulled(own)
    slow.going.set()
    slow.seen.clear()
    again, answer = begin(own, slow, DOCKER)
    assert "Downloaded newer image" in str(last_line(answer))
    again.close()
