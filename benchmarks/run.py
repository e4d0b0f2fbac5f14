#!/usr/bin/env python3
"""Compare this service with others, side by side on one machine.

    sudo .venv/bin/python benchmarks/run.py [--repeat N] [--only NAME,...] [--servers NAME,...]
        [--socket NAME=PATH]... [--out FILE]

All run in one private mount and network namespace without /sys/fs/cgroup/unified, so that each can use crun
on a host with hybrid cgroups too. Repetitions are interleaved: whatever else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import memory, scenarios
from benchmarks.servers import COMMANDS, Given, Server

INSIDE = "APISERVER_BENCHMARK_INSIDE"
ENTER = 'umount /sys/fs/cgroup/unified 2>/dev/null || :; ip link set lo up; exec "$@"'
SETTLE_SECONDS = 1.0
BIG_REPEATS = 1

SCENARIOS = ("cold", "run", "idle", "stdin", "import", "log")
# (scenario, server, compared with): the ratios that the table ends with
RATIOS = (("run s", "apiserver", "podman"), ("first list s", "apiserver", "bare twisted.web"))

Results = dict[str, dict[str, list[float]]]  # figure -> server -> one value for each repetition


def main() -> None:
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("Run this as root")
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each start compiles the service anew
        unshare = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", ENTER, "sh"]
        os.execvp(unshare[0], [*unshare, sys.executable, __file__, *sys.argv[1:]])
    results = measure(options)
    report = {"machine": machine(), "options": vars(options), "figures": results}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1, default=str) + "\n")
    print(table(results))
    print(f"\n{options.out}")


def arguments() -> argparse.Namespace:
    def names(allowed: tuple[str, ...]) -> Callable[[str], list[str]]:
        def split(text: str) -> list[str]:
            if text == "none":
                return []
            if unknown := set(text.split(",")) - set(allowed):
                raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(allowed)}")
            return text.split(",")

        return split

    def named(text: str) -> tuple[str, Path]:
        name, equals, path = text.partition("=")
        if not name or not equals:
            raise argparse.ArgumentTypeError(f"{text}: NAME=PATH is wanted")
        return name, Path(path).absolute()

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, metavar="N")
    parser.add_argument("--only", type=names(SCENARIOS), default=list(SCENARIOS), metavar="NAME,...")
    parser.add_argument("--servers", type=names(tuple(COMMANDS)), default=list(COMMANDS), metavar="NAME,...")
    parser.add_argument(
        "--socket",
        type=named,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a service that runs already; may be given again",
    )
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of stdin, import and log")
    parser.add_argument("--runs", type=int, default=5, help="whole runs in each repetition")
    out = Path(__file__).parent / "out" / time.strftime("%Y-%m-%dT%H%M%S.json")
    parser.add_argument("--out", type=Path, default=out, metavar="FILE")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> Results:
    results: Results = defaultdict(lambda: defaultdict(list))
    folder = Path(tempfile.mkdtemp(prefix="bench", dir="/tmp"))
    servers = [Server(name, folder / name.split()[0]) for name in options.servers]
    given = [Given(name, folder / f"given-{name}", path) for name, path in options.socket]
    engines = [*(server for server in servers if server.name != "bare twisted.web"), *given]
    try:
        if "cold" in options.only or "idle" in options.only:
            for server in servers:
                server.start()  # the first start of all makes the storage and reads the programs from the disk
                server.end()
            for repetition in range(options.repeat):
                for server in turned(servers, repetition):
                    cold(server, results)
        for server in engines:
            server.start()
            if set(options.only) & {"run", "stdin", "log"}:
                scenarios.load_busybox(server)
        if "run" in options.only:
            for server in engines:
                scenarios.whole_run(server)
            for repetition in range(options.repeat):
                for server in turned(engines, repetition):
                    for _ in range(options.runs):
                        results["run s"][server.name].append(scenarios.whole_run(server))
        big(engines, options, results)
    finally:
        for server in (*servers, *given):
            server.forget()
        shutil.rmtree(folder)
    return {figure: {name: list(values) for name, values in each.items()} for figure, each in results.items()}


def turned(servers: list[Server], by: int) -> list[Server]:
    """Another one goes first each time."""
    by %= len(servers) or 1
    return servers[by:] + servers[:by]


def cold(server: Server, results: Results) -> None:
    results["first list s"][server.name].append(server.start())
    time.sleep(SETTLE_SECONDS)
    results["idle resident MB"][server.name].append(memory.resident(server.pid) / 1e6)
    results["idle proportional MB"][server.name].append(memory.proportional(server.pid) / 1e6)
    server.end()


def big(engines: list[Server], options: argparse.Namespace, results: Results) -> None:
    known = {"stdin": scenarios.stdin, "import": scenarios.import_image, "log": scenarios.unread_log}
    for name, scenario in known.items():
        if name not in options.only:
            continue
        for _ in range(BIG_REPEATS):
            for server in engines:
                seconds, grown = scenario(server, options.size * scenarios.MIB)
                results[f"{options.size} MiB {name} s"][server.name].append(seconds)
                results[f"{options.size} MiB {name} growth MB"][server.name].append(grown / 1e6)


def machine() -> dict[str, Any]:
    def said(*command: str) -> str:
        if shutil.which(command[0]) is None:
            return "not there"
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]

    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        "podman": said("podman", "--version"),
        "crun": said("crun", "--version"),
        "conmon": said("conmon", "--version"),
    }


def table(results: Results) -> str:
    """Medians, with the least and the greatest."""
    lines = []
    for figure, by_server in results.items():
        for name, values in by_server.items():
            middle, least, most = statistics.median(values), min(values), max(values)
            lines.append(f"{figure:<28} {name:<18} {middle:9.3f}  ({least:.3f} to {most:.3f}, {len(values)} times)")
    for figure, name, other in RATIOS:
        by_server = results.get(figure, {})
        if name in by_server and other in by_server:
            ratio = statistics.median(by_server[name]) / statistics.median(by_server[other])
            lines.append(f"{figure:<28} {name} / {other}: {ratio:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
