"""Pull from a registry on loopback, and load of an archive: time, and growth of the service's memory."""

from __future__ import annotations

from benchmarks.figures import Figure, Measured
from benchmarks.memory import growth
from benchmarks.registry import LOADED, PULLED
from benchmarks.servers import Server
from benchmarks.workloads.workload import Scale, Stopwatch, Workload

PULL = Figure("Images", "pull", "ms")
PULL_GROWTH = Figure("Memory", "growth in a pull", "MB")
LOAD = Figure("Images", "load", "ms")
LOAD_GROWTH = Figure("Memory", "growth in a load", "MB")


def pull(server: Server, scale: Scale) -> Measured:
    name, tag = PULLED.rsplit(":", 1)
    with scale.big_image.served(server.in_its_network()), server.connection() as connection:
        with growth(server.pid) as grown, Stopwatch() as took:
            connection.post(f"/images/create?fromImage={name}&tag={tag}")
        connection.call("GET", f"/images/{PULLED}/json")
        connection.call("DELETE", f"/images/{PULLED}")
    return [(PULL, took.seconds * 1000), (PULL_GROWTH, grown.bytes / 1e6)]


def load(server: Server, scale: Scale) -> Measured:
    with scale.big_image.archive.open("rb") as archive, server.connection() as connection:
        with growth(server.pid) as grown, Stopwatch() as took:
            connection.upload_file("/images/load", archive)
        connection.call("GET", f"/images/{LOADED}/json")
        connection.call("DELETE", f"/images/{LOADED}")
    return [(LOAD, took.seconds * 1000), (LOAD_GROWTH, grown.bytes / 1e6)]


def warm_pull(server: Server, scale: Scale) -> None:
    pull(server, scale)


def warm_load(server: Server, scale: Scale) -> None:
    load(server, scale)


WORKLOADS = (Workload("pull", pull, warm_pull), Workload("load", load, warm_load))
