"""From the start of the process to its first answers, and what it holds once it is idle."""

from __future__ import annotations

import time

from benchmarks import memory
from benchmarks.figures import Figure, Measured
from benchmarks.kinds import Kind
from benchmarks.servers import FIRST_ANSWER, SETTLE_SECONDS, Server
from benchmarks.workloads.lists import ALL, grow
from benchmarks.workloads.workload import Scale, Workload, milliseconds

PING = Figure("Start", "start to the first /_ping", "ms")
LIST = Figure("Start", "start to the first list of containers", "ms")
RESIDENT = Figure("Memory", "idle, resident", "MB")


def many_recorded(count: int) -> Figure:
    return Figure("Start", f"start to the list of {count} recorded containers", "ms")


def cold(server: Server, _scale: Scale) -> Measured:
    server.end()
    ping = server.start("/_ping")
    server.end()
    listed = server.start(FIRST_ANSWER)
    time.sleep(SETTLE_SECONDS)
    return [
        milliseconds(PING, ping),
        milliseconds(LIST, listed),
        (RESIDENT, memory.resident(server.pids) / 1e6),
    ]


def with_many(server: Server, scale: Scale) -> Measured:
    count = scale.counts[-1]
    server.end()
    took = server.start(ALL)
    time.sleep(SETTLE_SECONDS)
    return [
        milliseconds(many_recorded(count), took),
        (Figure("Memory", f"idle with {count} containers, resident", "MB"), memory.resident(server.pids) / 1e6),
    ]


def all_but_the_least(kind: Kind) -> bool:
    return kind.name != "least answer"


COLD = Workload("cold", cold, takes_part=all_but_the_least, starts=True)
RECORDED = Workload("recorded", with_many, lambda server, scale: grow(server, scale.counts[-1]), starts=True)
