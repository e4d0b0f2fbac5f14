"""`apiserver check`: what this host can do, what it lacks, and what to do about it."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from apiserver.config.checks import Check, Result, checks, containers_can_run
from apiserver.config.host import read_host
from apiserver.config.host.programs import parse_version


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="apiserver check",
        description="Say what this host can do, and what it lacks.",
        epilog="Exit status: 0 if containers can run here, 1 if not.",
    )
    parser.add_argument("--runtime", help="the OCI runtime that is to be used, by name")
    runtime: str | None = parser.parse_args(list(arguments)).runtime
    host = read_host(runtime=runtime)
    results = checks(host, ask_versions(host.programs))
    for line in lines(results):
        print(line)
    if containers_can_run(results):
        print("\nContainers can run here.")
        return 0
    print("\nContainers cannot run here: see the lines that say FAILED.")
    return 1


def lines(results: Iterable[Check]) -> list[str]:
    """The table, as text; advice stands on a line of its own."""
    rows = list(results)
    wide = max(len(row.item) for row in rows)
    text: list[str] = []
    for row in rows:
        text.append(f"{row.item:<{wide}}  {row.result.value:<7}  {row.found}")
        if row.result is not Result.OK and row.advice:
            text.append(f"{'':<{wide}}  {'':<7}  -> {row.advice}")
    return text


def ask_versions(programs: Mapping[str, Path]) -> dict[str, str]:
    """What each program says of its version, asked side by side; one that says nothing is left out."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = pool.map(_ask, programs.values())
    return {name: version for name, version in zip(programs, answers, strict=True) if version}


def _ask(program: Path) -> str | None:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, timeout=10, check=False, env={"PATH": "/bin"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version((done.stdout or done.stderr).decode(errors="replace"))
