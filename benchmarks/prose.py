"""The words of docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.workloads.runs import PAUSE_SECONDS

_HEAD = """# Performance

This page is made by `benchmarks/run.py` out of `performance/results.json`, and not written by hand. It came of

    {command}

in {minutes} minutes. Give it a machine that has nothing else to do. The results are then in the checkout of that
Debian, which the next `script/in-debian` makes anew: bring them from
`/var/tmp/debian-roots/trixie/root/apiserver/docs/performance/results.json` to your own `docs/performance/` at once, and
`benchmarks/run.py --report docs/performance/results.json` makes the page of them.

All servers were measured in one run, in turn in each repetition, in another order each time; {repetitions} repetitions.
What takes milliseconds is done {runs} times in each, and their median is its one value. What is shown is the median of
the repetitions, in brackets the quartiles. A ratio is our median divided by the other's; its brackets are the quartiles
of the ratios within each repetition. What is met or missed narrowly has its limit between them.
"""

_HOW = """## How it is measured

{lines}"""

_ALL = """
- Each server has mounts, processes and a network of its own: an empty `/run`, loopback alone, no service manager. So
  no server finds another's rules, cgroups are made without systemd (a Debian as it is installed has systemd, and cgroup
  v2), and the registry is on its own loopback. Client and servers share the processors.
- All are asked in the Docker API's words, version 1.41, over their unix socket. Podman and apiserver run crun below
  conmon, with netavark for the bridge; Docker runs what it always does: runc below containerd.
- Podman has a configuration of its own, as far as it must: events and logs in files, and limits of processes and files
  that the machine allows. The others run with their defaults.
"""
_SECTIONS = {
    "Start": """
- **Start**: from the start of the process (by `nsenter`, which takes about 1 ms) to the first 200, asked for every
  millisecond. The disk's cache is warm. `bare twisted.web` is a service of Twisted that answers an empty list to all.
""",
    "Memory": """
- **Memory**: resident, of the service and of what it has started and what still belongs to it (containerd to Docker, a
  guard to apiserver once something has run), with what they share counted for each. Idle: 1 s after the first answer,
  or after the last of many. Of the first pull and the first load after a start: the most that all of them had together,
  looked at every 10 ms; and the growth of the service's process alone, which cannot be compared: skopeo is a process
  that apiserver runs for a copy, where Podman and Docker copy by themselves.
""",
    "Requests": """
- **Requests**, **Latency**: by h2load, in C, with one thread, each number of connections in its turn. `least answer`
  is a loop in Python that answers the same 2 bytes to all: what it reaches, the client can take at least. Each number
  is of {load_seconds:g} s, but of 100 requests at least and of 10 on each connection. `/version` names the versions of
  the programs below: apiserver asks a program once, until its file changes; Podman and Docker start the programs each
  time. The containers of a list were made, and never started.
""",
    "Runs": """
- **Runs**: create, start, wait and remove of `true` on one connection, which is kept. They follow each other closely:
  apiserver leaves a bridge standing for ten seconds after the last run on it, where Podman takes it down at once and
  makes it again each time. So there is one figure for a run {pause:g} s after the last, too.
""",
    "Runs at once": """
- **Runs at once**: the same on 8 connections at once, {runs} on each.
""",
    "Exec": """
- **Exec**: create, start attached, read to the end, ask for the exit code.
""",
    "Streams": """
- **Streams**: lines of 100 bytes, counted without what frames them; attached output from its first byte to its last.
""",
    "Images": """
- **Images**: {image_mib} MiB in three layers that shrink to about half; pulled from Debian's docker-registry, loaded
  from an archive that `docker save` could have written. Before each, it is removed.
""",
    "Flows": """
- **Flows**: {flow_mib} MiB each, once.
""",
}


def page(about: dict[str, Any], wanted: str, sections: Mapping[str, str]) -> str:
    """
    Args:
        sections: what is shown of each, by its name.
    """
    options = about["options"]
    head = _HEAD.format(
        command=about["command"], minutes=about["minutes"], repetitions=options["repetitions"], runs=options["runs"]
    )
    lines = [_ALL, *(said for section, said in _SECTIONS.items() if section in sections)]
    how = "".join(lines).replace("\n\n", "\n").lstrip("\n").format(**options, pause=PAUSE_SECONDS)
    shown = list(sections.values())
    failures = "".join(f"- {failure}\n" for failure in about["failures"])
    if failures:
        shown.append(f"## What could not be measured\n\n{failures}")
    parts = [head, _machine(about), f"## Wanted and measured\n\n{wanted}\n", *shown, _HOW.format(lines=how)]
    return "\n".join(parts)


def _machine(about: dict[str, Any]) -> str:
    machine = about["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    lines = [
        f"Measured {about['date']} on {machine['system']}, Linux {machine['kernel']}, Python {machine['python']}, "
        f"{machine['processors']} processors ({machine['model']}; {about['stolen_percent']} % of them went to other "
        f"machines), {machine['memory_gb']} GB of memory, all storage on {machine['storage']}; load at the start "
        f"{machine['load'][0]:.2f}. apiserver is that of commit {about['commit'] or 'unknown'}, with {packages}.\n"
    ]
    for server in about["servers"]:
        if server["versions"]:
            said = "; ".join(f"{name}: {version}" for name, version in server["versions"].items())
            lines.append(f"- **{server['name']}**: {said}")
    return "\n".join(lines) + "\n"
