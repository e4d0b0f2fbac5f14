"""The words of docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HEAD = """# Performance

This page is made by `benchmarks/run.py` out of `performance/results.json`, and not written by hand. Once more, on a
Debian 13 that has nothing else to do:

    {command}

All servers were measured in one run on one machine, in turn in each repetition, {repetitions} repetitions. A value is
the median of all, in brackets the quartiles. A ratio is our median divided by the other's; where it has brackets, they
are the quartiles of the ratios of values that were measured one after the other.
"""

_HOW = """## How it is measured

- Each server has mounts, processes and a network of its own: an empty `/run`, loopback alone, no service manager. So
  no server finds another's rules, cgroups are made without systemd, and the registry is on its own loopback.
- All are asked in the Docker API's words, version 1.41, over their unix socket. Podman and apiserver run crun below
  conmon, with netavark for the bridge; Docker runs what it always does: runc below containerd.
- Podman has a configuration of its own, as far as it must: locks and events in files, logs in files, and limits of
  processes and files that the machine allows. The others run with their defaults.
- **Start**: from the start of the process (by `nsenter`, which takes about 1 ms) to the first 200, asked for every
  millisecond. The disk's cache is warm. `bare twisted.web` is a service of Twisted that answers an empty list to all.
- **Memory**: of the service and of the processes that belong to it (containerd to Docker), 1 s after its first
  answer. Growth is that of the service's own peak, while the thing happens.
- **Requests**, **Latency**: by h2load, in C, with one thread, each number of connections in its turn. `least answer`
  is a loop in Python that answers the same 2 bytes to all: what it reaches, the client can take at least.
- **Runs**: create, start, wait and remove of `true` on one connection, which is kept. **Exec**: create, start
  attached, read to the end, ask for the exit code.
- **Streams**: lines of 100 bytes, counted without what frames them; attached output from its first byte to its last.
- **Images**: {image_mib} MiB in three layers that shrink to about half; pulled from Debian's docker-registry, loaded
  from an archive that `docker save` could have written. Before each, it is removed.
- **Flows**: {flow_mib} MiB each, once.
"""


def page(about: dict[str, Any], wanted: str, sections: Sequence[str]) -> str:
    options = about["options"]
    head = _HEAD.format(command=about["command"], repetitions=options["repetitions"])
    how = _HOW.format(image_mib=options["image_mib"], flow_mib=options["flow_mib"])
    failures = "".join(f"- {failure}\n" for failure in about["failures"])
    if failures:
        sections = [*sections, f"## What could not be measured\n\n{failures}"]
    parts = [head, _machine(about), f"## Wanted and measured\n\n{wanted}\n", *sections, how]
    return "\n".join(parts)


def _machine(about: dict[str, Any]) -> str:
    machine = about["machine"]
    lines = [
        f"Measured {about['date']} on {machine['system']}, Linux {machine['kernel']}, Python {machine['python']}, "
        f"{machine['processors']} processors ({machine['model']}), {machine['memory_gb']} GB of memory; load at the "
        f"start {machine['load'][0]:.2f}.\n"
    ]
    for server in about["servers"]:
        if server["versions"]:
            said = "; ".join(f"{name}: {version}" for name, version in server["versions"].items())
            lines.append(f"- **{server['name']}**: {said}")
    return "\n".join(lines) + "\n"
