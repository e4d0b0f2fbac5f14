"""How fast output is read: a log that is there, and what an attached container writes."""

from __future__ import annotations

from benchmarks import scenarios
from benchmarks.client import drained
from benchmarks.figures import Figure, Measured
from benchmarks.servers import Server
from benchmarks.workloads.workload import MIB, Scale, Stopwatch, Workload

LOGS = Figure("Streams", "a log, read", "MB/s", more_is_better=True)
ATTACH = Figure("Streams", "attached output", "MB/s", more_is_better=True)
LOGGED = "bench-log"
LINE_BYTES = 100


def writer(size_bytes: int) -> list[str]:
    return ["sh", "-c", f"yes {'x' * (LINE_BYTES - 1)} | head -c {size_bytes}"]


def log_of(server: Server) -> dict[str, object]:
    return {"LogConfig": {"Type": "json-file", "Config": {"max-size": server.endless_log}}}


def prepare_log(server: Server, scale: Scale) -> None:
    with server.connection() as connection:
        scenarios.create(connection, writer(scale.stream_mib * MIB), LOGGED, HostConfig=log_of(server))
        connection.call("POST", f"/containers/{LOGGED}/start")
        connection.call("POST", f"/containers/{LOGGED}/wait")


def logs(server: Server, scale: Scale) -> Measured:
    """From the request to the end of the answer; the bytes are the container's, without what frames them."""
    size = scale.stream_mib * MIB
    with server.connection() as connection, Stopwatch() as took:
        count, _ = drained(connection.stream(f"/containers/{LOGGED}/logs?stdout=1&stderr=1"))
    _check(server, count, size)
    return [(LOGS, size / 1e6 / took.seconds)]


def clear_log(server: Server, _scale: Scale) -> None:
    scenarios.remove(server, LOGGED)


def attach(server: Server, scale: Scale) -> Measured:
    """From the first byte to the last."""
    size = scale.stream_mib * MIB
    with server.connection() as connection:
        container = scenarios.create(connection, writer(size), AttachStdout=True, HostConfig=log_of(server))
        raw = connection.hijack(f"/containers/{container}/attach?stream=1&stdout=1")
        connection.call("POST", f"/containers/{container}/start")
        count, seconds = drained(raw)
        connection.call("POST", f"/containers/{container}/wait")
        connection.call("DELETE", f"/containers/{container}?force=1")
    _check(server, count, size)
    return [(ATTACH, size / 1e6 / seconds)]


def _check(server: Server, count: int, size: int) -> None:
    """A rate of bytes that were lost is none; frames and chunks add at most a quarter to lines of 100 bytes."""
    if not size <= count <= size * 1.25 + MIB:
        raise RuntimeError(f"{server.name}: {count} bytes came of {size}")


WORKLOADS = (
    Workload("logs", logs, prepare_log, clear_log),
    Workload("attach", attach),
)
