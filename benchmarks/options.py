"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.kinds import KINDS, Kind
from benchmarks.workloads.catalogue import NAMES
from benchmarks.workloads.workload import Scale

SERVERS = ("apiserver", "podman", "dockerd", "bare twisted.web", "least answer")
QUICK: dict[str, Any] = {"runs": 1, "load_seconds": 0.3, "counts": (10, 100), "stream_mib": 16, "flow_mib": 64}


@dataclass(frozen=True)
class Named:
    """A server that takes part.

    Attributes:
        socket: of one that runs already.
    """

    name: str
    kind: Kind
    root: Path = Path("/")
    socket: Path | None = None


@dataclass(frozen=True)
class Options:
    servers: list[Named]
    repetitions: int
    quick: bool
    only: list[str]
    out: Path
    publish: bool
    report: Path | None

    def scale(self, folder: Path) -> Scale:
        return Scale(folder, **QUICK) if self.quick else Scale(folder)

    def as_json(self) -> dict[str, Any]:
        scale = asdict(self.scale(Path()))
        scale.pop("folder")
        scale.pop("_image")
        return {"repetitions": self.repetitions, "quick": self.quick, "only": self.only, **scale}


def kind_of(name: str) -> Kind:
    """
    Raises:
        argparse.ArgumentTypeError: its name begins with no kind's.
    """
    for kind in KINDS.values():
        if name.startswith(kind.name):
            return kind
    raise argparse.ArgumentTypeError(f"{name}: a server's name begins with one of {', '.join(KINDS)}")


def server(text: str) -> Named:
    name, _, root = text.partition("@")
    if root and not Path(root).is_dir():
        raise argparse.ArgumentTypeError(f"{root}: no directory")
    return Named(name, kind_of(name), Path(root or "/").absolute())


def given(text: str) -> Named:
    name, equals, path = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text}: NAME=PATH is wanted")
    return Named(name, kind_of(name), socket=Path(path).absolute())


def workload_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(NAMES):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(NAMES)}")
    return names


def arguments(checkout: Path, words: list[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(description="Compare this service with others, side by side on one machine.")
    parser.add_argument("--repetitions", type=int, default=7, metavar="N")
    parser.add_argument("--quick", action="store_true", help="less of all, to try it")
    parser.add_argument("--only", type=workload_names, default=list(NAMES), metavar="NAME,...", help=", ".join(NAMES))
    parser.add_argument(
        "--server",
        type=server,
        action="append",
        metavar="NAME[@ROOT]",
        help=f"may be given again; without any: {', '.join(SERVERS)}",
    )
    parser.add_argument("--socket", type=given, action="append", default=[], metavar="NAME=PATH", help="runs already")
    out = checkout / "benchmarks/out" / time.strftime("%Y-%m-%dT%H%M%S.json")
    parser.add_argument("--out", type=Path, default=out, metavar="FILE")
    parser.add_argument("--publish", action="store_true", help="into docs/ instead: results, page and plots")
    parser.add_argument("--report", type=Path, metavar="FILE", help="measure nothing: make docs/ out of these results")
    found = parser.parse_args(words)
    servers = [*(found.server or ([] if found.socket else map(server, SERVERS))), *found.socket]
    if len({one.name for one in servers}) < len(servers):
        parser.error("two servers have one name")
    return Options(servers, found.repetitions, found.quick, found.only, found.out, found.publish, report=found.report)
