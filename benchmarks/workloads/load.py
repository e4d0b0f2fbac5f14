"""Requests a second and their latencies, by h2load: a client in C of nghttp2 that speaks HTTP/1.1 on unix sockets.

What it can take is measured too, with a server that answers the same bytes to all.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import VERSION
from benchmarks.figures import Figure, Measured
from benchmarks.kinds import Kind
from benchmarks.servers import Server
from benchmarks.summary import percentile
from benchmarks.workloads.workload import CONNECTIONS, Scale, Workload

SECTION = "Requests"
PILOT_SECONDS = 0.2  # as long a look at the rate decides how many requests are measured
LEAST_EACH = 10  # requests on each connection, however long they take
LEAST = 100  # requests in all, since a hundredth of fewer is none
LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Load:
    """
    Attributes:
        rate: answers a second.
        latencies: seconds of each.
    """

    rate: float
    latencies: list[float]


def rate(what: str, connections: int) -> Figure:
    return Figure(SECTION, f"{what}, {_plural(connections)}", "requests/s", more_is_better=True)


def latency(what: str, connections: int, share: int) -> Figure:
    return Figure("Latency", f"{what}, {_plural(connections)}, p{share}", "ms")


def _plural(connections: int) -> str:
    return f"{connections} connection{'s' * (connections > 1)}"


def under_load(server: Server, scale: Scale, what: str, path: str) -> Measured:
    """Each number of connections for about `load_seconds`, but so many requests that a hundredth of them is some."""
    found: Measured = []
    for connections in CONNECTIONS:
        load = h2load(server.socket, VERSION + path, connections, 2 * connections, scale.folder)
        if load.rate * PILOT_SECONDS > 2 * connections:
            load = h2load(server.socket, VERSION + path, connections, int(load.rate * PILOT_SECONDS), scale.folder)
        requests = max(LEAST, LEAST_EACH * connections, int(load.rate * scale.load_seconds))
        load = h2load(server.socket, VERSION + path, connections, requests, scale.folder)
        found.append((rate(what, connections), load.rate))
        for share in (50, 99):
            found.append((latency(what, connections, share), percentile(load.latencies, share / 100) * 1000))
    return found


def h2load(socket: Path, path: str, connections: int, requests: int, folder: Path) -> Load:
    """
    Raises:
        RuntimeError: not every request was answered with 200.
    """
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = ["h2load", "--h1", "--threads=1", f"--clients={connections}", f"--requests={requests}"]
    ended = subprocess.run(
        [*command, f"--log-file={log}", f"--base-uri=unix:{socket}", f"http://d{path}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"h2load: {ended.stdout}{ended.stderr}")
    return read_log(log.read_text(), requests)


def read_log(text: str, requests: int) -> Load:
    """From h2load's log: start in microseconds, status and duration in microseconds of each, separated by tabs."""
    rows = [[int(word) for word in line.split("\t")[:3]] for line in text.splitlines()]
    bad = [status for _, status, _ in rows if status != 200]
    if bad or len(rows) != requests:
        raise RuntimeError(f"of {requests} requests {len(rows)} were answered, {len(bad)} of them not with 200")
    took = max(start + duration for start, _, duration in rows) - min(start for start, _, _ in rows)
    return Load(len(rows) * 1e6 / took, [duration / 1e6 for _, _, duration in rows])


def small(server: Server, scale: Scale) -> Measured:
    return [
        *under_load(server, scale, "/_ping", "/_ping"),
        *(under_load(server, scale, "/version", "/version") if server.kind.engine else []),
    ]


def not_bare_twisted(kind: Kind) -> bool:
    return kind.name != "bare twisted.web"


SMALL = Workload("requests", small, takes_part=not_bare_twisted)
