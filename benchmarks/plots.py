"""One plot for each section: medians as bars, quartiles as whiskers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # no display is asked for

from matplotlib import pyplot as plt

from benchmarks.figures import Figure, Results
from benchmarks.summary import summary

COLOURS = {"apiserver": "#0072b2", "podman": "#892ca0", "dockerd": "#e69f00"}
OTHERS = ("#555555", "#999999")
BAR = 0.8  # of the room that a group of bars has
INCHES_EACH, INCHES_MORE, WIDTH = 0.22, 1.0, 9.0
FAR = 30  # what lies further apart than this is seen on a logarithmic scale alone

mpl.rcParams["svg.hashsalt"] = "apiserver"  # the same picture is the same bytes
mpl.rcParams["svg.fonttype"] = "none"


def draw(results: Results, kinds: Mapping[str, str], section: str, stem: Path) -> None:
    """Write STEM.png and STEM.svg: figures of one unit below each other, units side by side if there are several."""
    figures = [figure for figure in results.figures if figure.section == section]
    units = list(dict.fromkeys(figure.unit for figure in figures))
    servers = [name for name in kinds if any(results.of(figure, name) for figure in figures)]
    bars = max(sum(figure.unit == unit for figure in figures) for unit in units) * len(servers)
    drawing, fields = plt.subplots(
        1, len(units), squeeze=False, figsize=(WIDTH, INCHES_MORE + INCHES_EACH * bars), layout="constrained"
    )
    for field, unit in zip(fields[0], units, strict=True):
        _bars(field, results, [figure for figure in figures if figure.unit == unit], servers, kinds)
    handles, labels = fields[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper right", ncols=len(servers))
    drawing.savefig(stem.with_suffix(".png"), dpi=120, metadata={"Software": None})
    drawing.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
    plt.close(drawing)


def _bars(field: Any, results: Results, figures: list[Figure], servers: list[str], kinds: Mapping[str, str]) -> None:
    height = BAR / len(servers)
    others = iter(OTHERS * len(servers))
    medians = []
    for at, server in enumerate(servers):
        colour = COLOURS.get(kinds[server]) if server in COLOURS else None
        rows = [row for row, figure in enumerate(figures) if results.of(figure, server)]
        found = [summary(results.of(figures[row], server)) for row in rows]
        medians += [one.median for one in found]
        field.barh(
            [row - BAR / 2 + height * (at + 0.5) for row in rows],
            [one.median for one in found],
            height,
            xerr=[[one.median - one.low for one in found], [one.high - one.median for one in found]],
            color=colour or next(others),
            error_kw={"elinewidth": 0.8},
            label=server,
        )
    field.set_yticks(range(len(figures)), [figure.name for figure in figures])
    field.invert_yaxis()
    field.margins(y=0.01)
    positive = [median for median in medians if median > 0]
    if positive and max(positive) > FAR * min(positive):
        field.set_xscale("log")
    better = "more is better" if figures[0].more_is_better else "less is better"
    field.set_xlabel(f"{figures[0].unit} ({better})")
    field.grid(axis="x", linewidth=0.4)
