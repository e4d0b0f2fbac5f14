"""What is measured, in the words of the Docker API, so against any server of it."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.client import PIECE, Connection
from benchmarks.memory import growth
from benchmarks.servers import Server
from tests.support.image_archive import busybox_image, docker_archive

MIB = 1024 * 1024
UNREAD_SECONDS = 3.0


def load_busybox(server: Server) -> None:
    with server.connection() as connection:
        connection.upload("/images/load", iter([docker_archive(busybox_image("docker.io/library/busybox:latest"))]))


def create(connection: Connection, command: list[str], name: str = "", **more: Any) -> str:
    host = {"NetworkMode": "none", **more.pop("HostConfig", {})}
    body = {"Image": "busybox", "Cmd": command, "HostConfig": host, **more}
    created: dict[str, str] = connection.call("POST", f"/containers/create{'?name=' * bool(name)}{name}", body)
    return created["Id"]


def remove(server: Server, name: str) -> None:
    with server.connection() as connection:
        connection.call("DELETE", f"/containers/{name}?force=1")


def run_phases(connection: Connection, network: str = "none") -> dict[str, float]:
    """Seconds of create, start, wait and remove of `true`, each, and of all that."""
    clock = time.perf_counter
    times = [clock()]
    container = create(connection, ["true"], HostConfig={"NetworkMode": network})
    times.append(clock())
    connection.call("POST", f"/containers/{container}/start")
    times.append(clock())
    code = connection.call("POST", f"/containers/{container}/wait")["StatusCode"]
    times.append(clock())
    connection.call("DELETE", f"/containers/{container}")
    times.append(clock())
    if code != 0:
        raise RuntimeError(f"`true` ended with {code}")
    names = ("create", "start", "wait", "remove")
    took = {name: after - before for name, before, after in zip(names, times, times[1:], strict=False)}
    return {**took, "whole": times[-1] - times[0]}


def whole_run(server: Server) -> float:
    """Seconds for a run on one kept-alive connection."""
    with server.connection() as connection:
        connection.call("GET", "/containers/json")
        return run_phases(connection)["whole"]


def stdin(server: Server, size_bytes: int) -> tuple[float, float]:
    """(seconds, bytes grown) while `size_bytes` go through the attached stdin of `wc -c`."""
    with server.connection() as connection:
        streams: dict[str, Any] = {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": True}
        container = create(connection, ["wc", "-c"], **streams)
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
    member = tarfile.TarInfo("big")
    member.size = size_bytes
    yield member.tobuf()
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
        container = create(connection, command, HostConfig=log)
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
