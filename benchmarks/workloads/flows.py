"""What flows through a service, once, with how far its memory grew meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import scenarios
from benchmarks.figures import Figure, Measured
from benchmarks.servers import Server
from benchmarks.workloads.workload import MIB, Scale, Workload


def flow(name: str, what: str, scenario: Callable[[Server, int], tuple[float, float]]) -> Workload:
    def measure(server: Server, scale: Scale) -> Measured:
        seconds, grown = scenario(server, scale.flow_mib * MIB)
        title = f"{what} of {scale.flow_mib} MiB"
        return [(Figure("Flows", title, "s"), seconds), (Figure("Memory", f"growth by {title}", "MB"), grown / 1e6)]

    return Workload(name, measure, once=True)


WORKLOADS = (
    flow("stdin", "stdin", scenarios.stdin),
    flow("import", "an imported archive", scenarios.import_image),
    flow("log", "a log that nobody reads", scenarios.unread_log),
)
