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


def one(phase: str, network: str) -> Figure:
    return Figure("Runs", f"{'whole run' if phase == 'whole' else phase}, network {network}", "ms")


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


def several(server: Server, scale: Scale) -> Measured:
    return [(at_once(network), _rate(server, network, scale.runs)) for network in NETWORKS]


def _rate(server: Server, network: str, runs: int) -> float:
    def worker(_number: int) -> None:
        with server.connection() as connection:
            for _ in range(runs):
                scenarios.run_phases(connection, network)

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(worker, range(AT_ONCE)))
    return AT_ONCE * runs / (time.perf_counter() - began)


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
    Workload("many", several, prepare),
    Workload("exec", execs, prepare_exec, clear_exec),
)
