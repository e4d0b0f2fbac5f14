"""Create, start, wait and remove of `true`: one at a time and several at once; and exec in what runs already."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks import scenarios
from benchmarks.client import drained
from benchmarks.figures import Figure, Measured
from benchmarks.servers import Server
from benchmarks.workloads.workload import Scale, Workload, milliseconds

NETWORKS = ("none", "bridge")
AT_ONCE = 8
EXEC = Figure("Exec", "exec of `true`", "ms")
EXECUTED = "bench-exec"
PAUSE_SECONDS = 12.0
FIRST = Figure("Runs", f"whole run, network bridge, {PAUSE_SECONDS:.0f} s after the one before", "ms")


def one(phase: str, network: str) -> Figure:
    return Figure("Runs", f"{_called(phase)}, network {network}", "ms")


def one_of_several(phase: str, network: str) -> Figure:
    return Figure("Runs at once", f"{_called(phase)}, network {network}", "ms")


def _called(phase: str) -> str:
    return "whole run" if phase == "whole" else phase


def at_once(network: str) -> Figure:
    return Figure("Runs at once", f"{AT_ONCE} at once, network {network}", "runs/s", more_is_better=True)


def prepare(server: Server, _scale: Scale) -> None:
    with server.connection() as connection:
        for network in NETWORKS:  # the first container makes the network
            scenarios.run_phases(connection, network)


def one_at_a_time(server: Server, scale: Scale) -> Measured:
    found: Measured = []
    with server.connection() as connection:
        connection.call("GET", "/containers/json")
        for network in NETWORKS:
            for _ in range(scale.runs):
                took = scenarios.run_phases(connection, network)
                found += [milliseconds(one(phase, network), seconds) for phase, seconds in took.items()]
    return found


def after_a_pause(server: Server, _scale: Scale) -> Measured:
    """A bridge may be taken down meanwhile."""
    with server.connection() as connection:
        connection.call("GET", "/containers/json")
        return [milliseconds(FIRST, scenarios.run_phases(connection, "bridge")["whole"])]


def several(server: Server, scale: Scale) -> Measured:
    return [found for network in NETWORKS for found in _at_once(server, network, scale.runs)]


def _at_once(server: Server, network: str, runs: int) -> Measured:
    def worker(_number: int) -> list[dict[str, float]]:
        with server.connection() as connection:
            return [scenarios.run_phases(connection, network) for _ in range(runs)]

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        every = [took for of_worker in pool.map(worker, range(AT_ONCE)) for took in of_worker]
    rate = AT_ONCE * runs / (time.perf_counter() - began)
    times = [milliseconds(one_of_several(phase, network), seconds) for took in every for phase, seconds in took.items()]
    return [(at_once(network), rate), *times]


def prepare_exec(server: Server, _scale: Scale) -> None:
    with server.connection() as connection:
        container = scenarios.create(connection, ["sleep", "1000000"], EXECUTED)
        connection.call("POST", f"/containers/{container}/start")
        _exec(server)


def execs(server: Server, scale: Scale) -> Measured:
    return [milliseconds(EXEC, _exec(server)) for _ in range(scale.runs)]


def _exec(server: Server) -> float:
    """Seconds until an attached `true` is over and its exit code is known."""
    body = {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True}
    with server.connection() as connection:
        connection.call("GET", "/containers/json")
        began = time.perf_counter()
        made = connection.call("POST", f"/containers/{EXECUTED}/exec", body)["Id"]
        drained(connection.hijack(f"/exec/{made}/start", {"Detach": False, "Tty": False}))
        ended = connection.call("GET", f"/exec/{made}/json")
        took = time.perf_counter() - began
    if ended["Running"] or ended["ExitCode"] != 0:
        raise RuntimeError(f"{server.name}: an exec of `true` ended with {ended}")
    return took


def clear_exec(server: Server, _scale: Scale) -> None:
    scenarios.remove(server, EXECUTED)


WORKLOADS = (
    Workload("run", one_at_a_time, prepare),
    Workload("run", after_a_pause, pause_seconds=PAUSE_SECONDS),
    Workload("many", several, prepare),
    Workload("exec", execs, prepare_exec, clear_exec),
)
