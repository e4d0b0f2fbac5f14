"""All workloads, in the order in which they are done."""

from __future__ import annotations

from benchmarks.workloads import flows, footprints, images, lists, load, runs, starts, streams
from benchmarks.workloads.workload import Scale, Workload

NAMES = (
    *("cold", "requests", "run", "many", "exec", "logs", "attach", "pull", "load", "memory"),
    *("stdin", "import", "log", "list", "recorded"),
)


def chosen(scale: Scale, names: list[str]) -> list[Workload]:
    """Those whose containers stay come last, since a server with many is another one."""
    every = [
        *(starts.COLD, load.SMALL, *runs.WORKLOADS, *streams.WORKLOADS, *images.WORKLOADS, *footprints.WORKLOADS),
        *(*flows.WORKLOADS, *lists.workloads(scale), starts.RECORDED),
    ]
    return [workload for workload in every if workload.name in names]
