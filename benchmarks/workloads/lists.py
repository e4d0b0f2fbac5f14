"""The list of containers as they grow in number, and inspect of one of a hundred."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from benchmarks import scenarios
from benchmarks.figures import Figure, Measured
from benchmarks.servers import Server
from benchmarks.workloads.load import under_load
from benchmarks.workloads.workload import Scale, Stopwatch, Workload, milliseconds

AT_ONCE = 4
ALL = "/containers/json?all=1"
LOADED_COUNT = 100


def listed(count: int) -> Figure:
    return Figure("Lists", f"list of {count} containers", "ms")


def name(number: int) -> str:
    return f"bench-{number:04}"


def grow(server: Server, count: int) -> None:
    """So many containers that were never started."""
    with server.connection() as connection:
        there = len(connection.call("GET", ALL))

    def worker(first: int) -> None:
        with server.connection() as connection:
            for number in range(there + first, count, AT_ONCE):
                scenarios.create(connection, ["true"], name(number))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(worker, range(AT_ONCE)))


def workloads(scale: Scale) -> list[Workload]:
    return [workload for count in scale.counts for workload in _of(count)]


def _of(count: int) -> list[Workload]:
    def prepare(server: Server, _scale: Scale) -> None:
        grow(server, count)

    def measure(server: Server, scale: Scale) -> Measured:
        found: Measured = []
        with server.connection() as connection:
            connection.call("GET", "/_ping")
            for _ in range(scale.runs):
                with Stopwatch() as took:
                    body = connection.body_of(ALL)
                if (there := len(json.loads(body))) != count:
                    raise RuntimeError(f"{server.name}: {there} of {count} containers")
                found.append(milliseconds(listed(count), took.seconds))
        return found

    def load(server: Server, scale: Scale) -> Measured:
        return [
            *under_load(server, scale, f"list of {count}", ALL),
            *under_load(server, scale, "inspect", f"/containers/{name(0)}/json"),
        ]

    found = [Workload("list", measure, prepare)]
    if count == LOADED_COUNT:
        found.append(Workload("requests", load, prepare))
    return found
