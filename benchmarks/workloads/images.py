"""Pull from a registry on loopback, and load of an archive."""

from __future__ import annotations

from benchmarks.client import Connection
from benchmarks.figures import Figure, Measured
from benchmarks.registry import LOADED, PULLED
from benchmarks.servers import Server
from benchmarks.workloads.workload import Scale, Stopwatch, Workload, milliseconds

PULL = Figure("Images", "pull", "ms")
LOAD = Figure("Images", "load", "ms")


def timed_pull(server: Server, scale: Scale) -> Measured:
    with scale.big_image.served(server.in_its_network()), server.connection() as connection:
        with Stopwatch() as took:
            pull(connection)
        remove(connection, PULLED)
    return [milliseconds(PULL, took.seconds)]


def timed_load(server: Server, scale: Scale) -> Measured:
    with server.connection() as connection:
        with Stopwatch() as took:
            load(connection, scale)
        remove(connection, LOADED)
    return [milliseconds(LOAD, took.seconds)]


def pull(connection: Connection) -> None:
    name, tag = PULLED.rsplit(":", 1)
    connection.post(f"/images/create?fromImage={name}&tag={tag}")


def load(connection: Connection, scale: Scale) -> None:
    with scale.big_image.archive.open("rb") as archive:
        connection.upload_file("/images/load", archive)


def remove(connection: Connection, name: str) -> None:
    """
    Raises:
        RuntimeError: it is not there.
    """
    connection.call("GET", f"/images/{name}/json")
    connection.call("DELETE", f"/images/{name}")


def warm_pull(server: Server, scale: Scale) -> None:
    timed_pull(server, scale)


def warm_load(server: Server, scale: Scale) -> None:
    timed_load(server, scale)


WORKLOADS = (Workload("pull", timed_pull, warm_pull), Workload("load", timed_load, warm_load))
