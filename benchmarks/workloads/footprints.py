"""Memory that a service holds after it was used, and that it takes for its first pull and its first load."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks import memory
from benchmarks.client import Connection
from benchmarks.figures import Figure, Measured
from benchmarks.registry import LOADED, PULLED
from benchmarks.servers import SETTLE_SECONDS, Server
from benchmarks.workloads import images
from benchmarks.workloads.workload import Scale, Workload

USED = Figure("Memory", "idle after runs, pulls and loads, resident", "MB")
PULL_GROWTH = Figure("Memory", "growth of the service's process in its first pull", "MB", compared=False)
PULL_PEAK = Figure("Memory", "first pull, all processes, peak", "MB")
LOAD_GROWTH = Figure("Memory", "growth of the service's process in its first load", "MB", compared=False)
LOAD_PEAK = Figure("Memory", "first load, all processes, peak", "MB")


def used(server: Server, _scale: Scale) -> Measured:
    time.sleep(SETTLE_SECONDS)
    return [(USED, memory.resident(server.pids) / 1e6)]


def first_pull(server: Server, scale: Scale) -> Measured:
    with scale.big_image.served(server.in_its_network()):
        return _first(server, images.pull, PULLED, PULL_GROWTH, PULL_PEAK)


def first_load(server: Server, scale: Scale) -> Measured:
    return _first(server, lambda connection: images.load(connection, scale), LOADED, LOAD_GROWTH, LOAD_PEAK)


def _first(server: Server, work: Callable[[Connection], None], name: str, growth: Figure, peak: Figure) -> Measured:
    """Since the service was started; afterwards the image goes again."""
    server.end()
    server.start()
    time.sleep(SETTLE_SECONDS)
    with server.connection() as connection:
        with memory.growth(server.pid) as grown, memory.peak(lambda: server.pids) as highest:
            work(connection)
        images.remove(connection, name)
    return [(growth, grown.bytes / 1e6), (peak, highest.bytes / 1e6)]


WORKLOADS = (
    Workload("memory", used, once=True),
    Workload("memory", first_pull, starts=True),
    Workload("memory", first_load, starts=True),
)
