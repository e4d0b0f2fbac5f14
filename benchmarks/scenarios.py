"""What is measured, in the words of the Docker API, so against any server of it."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.client import Connection
from benchmarks.memory import growth
from benchmarks.servers import Server
from tests.support.image_archive import busybox_image, docker_archive

MIB = 1024 * 1024
PIECE = MIB // 4
UNREAD_SECONDS = 3.0


def load_busybox(server: Server) -> None:
    with server.connection() as connection:
        connection.upload("/images/load", iter([docker_archive(busybox_image("docker.io/library/busybox:latest"))]))


def create(server: Server, connection: Connection, command: list[str], **more: Any) -> str:
    host = {"NetworkMode": "none", **server.host_config, **more.pop("HostConfig", {})}
    body = {"Image": "busybox", "Cmd": command, "HostConfig": host, **more}
    created: dict[str, str] = connection.call("POST", "/containers/create", body)
    return created["Id"]


def whole_run(server: Server) -> float:
    """Seconds for create, start, wait and remove of `true`, on one kept-alive connection."""
    with server.connection() as connection:
        connection.call("GET", "/containers/json")
        began = time.perf_counter()
        container = create(server, connection, ["true"])
        connection.call("POST", f"/containers/{container}/start")
        code = connection.call("POST", f"/containers/{container}/wait")["StatusCode"]
        connection.call("DELETE", f"/containers/{container}")
        took = time.perf_counter() - began
    if code != 0:
        raise RuntimeError(f"{server.name}: `true` ended with {code}")
    return took


def stdin(server: Server, size_bytes: int) -> tuple[float, float]:
    """(seconds, bytes grown) while `size_bytes` go through the attached stdin of `wc -c`."""
    with server.connection() as connection:
        streams = {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": True}
        container = create(server, connection, ["wc", "-c"], **streams)
        with growth(server.pid) as grown:
            raw = connection.hijack(f"/containers/{container}/attach?stream=1&stdin=1&stdout=1")
            connection.call("POST", f"/containers/{container}/start")
            began = time.perf_counter()
            piece = bytes(PIECE)
            for _ in range(size_bytes // PIECE):
                raw.sendall(piece)
            raw.shutdown(1)
            said = b"".join(iter(lambda: raw.recv(PIECE), b""))
            took = time.perf_counter() - began
            raw.close()
        connection.call("DELETE", f"/containers/{container}?force=1")
    if said[8:].split() != [str(size_bytes).encode()]:  # a frame's head has 8 bytes
        raise RuntimeError(f"{server.name}: sent {size_bytes} bytes, `wc -c` says {said!r}")
    return took, grown.bytes


def import_image(server: Server, size_bytes: int) -> tuple[float, float]:
    """(seconds, bytes grown) while an archive of `size_bytes` becomes an image."""
    with server.connection() as connection:
        with growth(server.pid) as grown:
            began = time.perf_counter()
            said = connection.upload("/images/create?fromSrc=-&repo=big&tag=one", archive(size_bytes))
            took = time.perf_counter() - began
        # by id: servers differ in the name that they make of a short one
        image = json.loads(said.splitlines()[-1])["status"]
        connection.call("DELETE", f"/images/{image}?force=1")
    return took, grown.bytes


def archive(size_bytes: int) -> Iterator[bytes]:
    """A tar of one file, in pieces."""
    head = io.BytesIO()
    with tarfile.open(fileobj=head, mode="w") as tar:
        member = tarfile.TarInfo("big")
        member.size = size_bytes
        tar.addfile(member)
        yield head.getvalue()
        piece = bytes(PIECE)
        for _ in range(size_bytes // PIECE):
            yield piece
    yield bytes(10240)


def unread_log(server: Server, size_bytes: int) -> tuple[float, float]:
    """(seconds, bytes grown) for a client that asks for a log of `size_bytes` and reads nothing of it."""
    with server.connection() as connection:
        line = "x" * 1023
        log = {"LogConfig": {"Type": "json-file", "Config": {"max-size": server.endless_log}}}
        command = ["sh", "-c", f"yes {line} | head -c {size_bytes}"]
        container = create(server, connection, command, HostConfig=log)
        with growth(server.pid) as grown:
            began = time.perf_counter()
            connection.call("POST", f"/containers/{container}/start")
            connection.call("POST", f"/containers/{container}/wait")
            took = time.perf_counter() - began
            with server.connection() as reader:
                reader.request("GET", f"/v1.41/containers/{container}/logs?stdout=1&follow=1")
                time.sleep(UNREAD_SECONDS)
        connection.call("DELETE", f"/containers/{container}?force=1")
    return took, grown.bytes
