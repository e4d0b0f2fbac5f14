"""The ratios that are wanted, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, Results
from benchmarks.summary import Ratio, Values, ratio, summary
from benchmarks.workloads import footprints, images, lists, load, runs, starts, streams
from benchmarks.workloads.workload import CONNECTIONS

OURS = "apiserver"


@dataclass(frozen=True)
class Wanted:
    """
    Attributes:
        title: names it in the table, and in the file of causes.
        other: the kind of server that ours is compared with; None for a limit in the figure's own unit.
        limit: of our value divided by the other's.
        at_least: the limit is a least one; else a greatest.
    """

    title: str
    figure: Figure
    other: str | None
    limit: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def _wanted() -> Iterator[Wanted]:
    run = {network: runs.one("whole", network) for network in runs.NETWORKS}
    yield Wanted("whole run, network none", run["none"], "podman", 0.8)
    yield Wanted("whole run, network bridge", run["bridge"], "podman", 0.75)
    for network, figure in run.items():
        yield Wanted(f"whole run, network {network}, to Docker's", figure, "dockerd", 0.4)
    for network in runs.NETWORKS:
        yield Wanted(f"{runs.AT_ONCE} at once, network {network}", runs.at_once(network), "podman", 1.2, at_least=True)
    yield Wanted("exec", runs.EXEC, "podman", 0.85)
    yield Wanted("list of 100", lists.listed(100), "podman", 0.1)
    yield Wanted("list of 1,000", lists.listed(1000), "podman", 0.05)
    for what in ("inspect", "/version"):
        for connections in CONNECTIONS:
            figure = load.rate(what, connections)
            yield Wanted(figure.name, figure, "podman", 1.0, at_least=True)
    yield Wanted("log, read", streams.LOGS, "podman", 5, at_least=True)
    yield Wanted("attached output", streams.ATTACH, "podman", 0.8, at_least=True)
    yield Wanted("idle memory, resident", starts.RESIDENT, "podman", 1.0)
    yield Wanted("start to the first list", starts.LIST, "podman", 4.0)
    yield Wanted("pull", images.PULL, "podman", 1.15)
    yield Wanted("load", images.LOAD, "podman", 1.15)
    yield Wanted("growth in a pull, MB", footprints.PULL_GROWTH, None, 40)
    yield Wanted("growth in a load, MB", footprints.LOAD_GROWTH, None, 40)


WANTED = tuple(_wanted())


@dataclass(frozen=True)
class Outcome:
    """
    Attributes:
        server: that was compared with, by its name.
        ratio: None where it was not measured.
    """

    wanted: Wanted
    server: str
    ratio: Ratio | None

    @property
    def met(self) -> bool | None:
        return None if self.ratio is None else self.wanted.is_met(self.ratio.value)

    @property
    def narrow(self) -> bool:
        """The limit lies between the quartiles, so another run may well find otherwise."""
        bounds = () if self.ratio is None else (self.ratio.low, self.ratio.high)
        return any(bound is not None and self.wanted.is_met(bound) != self.met for bound in bounds)


def outcomes(results: Results, kinds: Mapping[str, str]) -> list[Outcome]:
    """
    Args:
        kinds: of the servers, by name; the first of our kind is ours, and each of another kind is compared with.
    """
    ours = next((name for name, kind in kinds.items() if kind == OURS), "")
    found = []
    for wanted in WANTED:
        values = results.of(wanted.figure, ours)
        if wanted.other is None:
            found.append(Outcome(wanted, "", _alone(values)))
            continue
        for name in [name for name, kind in kinds.items() if kind == wanted.other]:
            found.append(Outcome(wanted, name, ratio(values, results.of(wanted.figure, name))))
    return found


def _alone(values: Values) -> Ratio | None:
    if not values:
        return None
    own = summary(values)
    return Ratio(own.median, own.low, own.high)


def causes(file: Path) -> dict[str, str]:
    """Why a ratio is missed, by its title: lines `TITLE: WHY`; one that begins with # is none.

    Raises:
        ValueError: a title is none of those that are wanted.
    """
    if not file.exists():
        return {}
    lines = [line.strip() for line in file.read_text().splitlines()]
    found = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    if unknown := set(found) - {wanted.title for wanted in WANTED}:
        raise ValueError(f"{file}: nothing is wanted of {', '.join(sorted(unknown))}")
    return found
