"""Does the workloads, with all servers in turn."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from benchmarks import scenarios
from benchmarks.figures import Figure, Measured, Results
from benchmarks.options import Named, Options
from benchmarks.servers import Given, Server
from benchmarks.workloads.catalogue import chosen
from benchmarks.workloads.workload import Scale, Workload


def measure(options: Options, folder: Path, about: dict[str, Any], keep: Callable[[Results], object]) -> None:
    """Fills in, in `about`, the versions that servers say, and what failed.

    Args:
        keep: told of all results so far, after each workload.
    """
    about["failures"] = []
    results = Results()
    scale = options.scale(folder)
    with contextlib.ExitStack() as ends:
        servers: list[Server] = []
        for at, named in enumerate(options.servers):
            servers.append(made(named, folder / str(at)))
            ends.callback(servers[-1].forget)
        for server, described in zip(servers, about["servers"], strict=True):
            prepare(server)
            described["versions"] = server.versions() if server.kind.engine else {}
        for workload in chosen(scale, options.only):
            about["failures"] += repeat(workload, servers, scale, options.repetitions, results)
            keep(results)


def made(named: Named, folder: Path) -> Server:
    if named.socket is not None:
        return Given(named.name, named.kind, folder, named.socket)
    return Server(named.name, named.kind, folder, named.root)


def prepare(server: Server) -> None:
    """The first start of all makes the storage and reads the programs from the disk."""
    if not isinstance(server, Given):
        server.start()
    if server.kind.engine:
        scenarios.load_busybox(server)


def repeat(workload: Workload, servers: list[Server], scale: Scale, repetitions: int, results: Results) -> list[str]:
    """Why servers could not do it: such a one is left out of the rest of this workload, and no more than that."""
    taking_part = [
        server
        for server in servers
        if workload.takes_part(server.kind) and not (workload.starts and isinstance(server, Given))
    ]
    began = time.monotonic()
    failed: dict[str, str] = {}

    def tried(step: Callable[[Server, Scale], Measured | None], server: Server) -> Measured:
        if server.name in failed:
            return []
        try:
            return step(server, scale) or []
        except (RuntimeError, OSError, HTTPException, KeyError, ValueError, SubprocessError) as error:
            failed[server.name] = f"{workload.name}: {server.name}: {error}"
            return []

    for server in taking_part:
        tried(workload.prepare, server)
    for repetition in range(1 if workload.once else repetitions):
        time.sleep(workload.pause_seconds)
        for server in turned(taking_part, repetition):
            for figure, value in medians(tried(workload.measure, server)):
                results.add(figure, server.name, value)
    for server in taking_part:
        tried(workload.clear, server)
    print(f"{workload.name}: {time.monotonic() - began:.0f} s", *failed.values(), sep="\n  ", file=sys.stderr)
    return list(failed.values())


def medians(measured: Measured) -> Measured:
    """One value for each figure: what was measured several times in one repetition has one place in it."""
    values: dict[Figure, list[float]] = {}
    for figure, value in measured:
        values.setdefault(figure, []).append(value)
    return [(figure, statistics.median(of_it)) for figure, of_it in values.items()]


def turned(servers: list[Server], by: int) -> list[Server]:
    """Another one goes first each time, and every other time each has another one before it."""
    start = by % (len(servers) or 1)
    order = servers[start:] + servers[:start]
    return order[::-1] if by % 2 else order
