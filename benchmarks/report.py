"""docs/performance.md, its plots and the table on the terminal, all out of what one measurement has found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Results
from benchmarks.summary import ratio, summary
from benchmarks.wanted import OURS, Outcome, causes, outcomes

CAUSES = "causes.txt"
RESULTS = "results.json"
UNNAMED = "not named yet"


@dataclass(frozen=True)
class Measurement:
    """
    Attributes:
        about: machine, options and servers, as they stand in the file.
    """

    about: dict[str, Any]
    results: Results

    @property
    def kinds(self) -> dict[str, str]:
        return {server["name"]: server["kind"] for server in self.about["servers"]}

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**self.about, "figures": self.results.as_json()}, indent=1, default=str) + "\n")

    @classmethod
    def read(cls, file: Path) -> Measurement:
        about = json.loads(file.read_text())
        return cls(about, Results.from_json(about.pop("figures")))


def number(value: float) -> str:
    """Three digits that count, but none beyond a hundred-thousandth, and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = next((at for at in range(1, 5) if abs(value) >= 10 ** (2 - at)), 5)
    return f"{value:.{digits}f}" if value else "0"


def cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    found = summary(values)
    return number(found.median) if found.count == 1 else f"{number(found.median)} {spread(found.low, found.high)}"


def spread(low: float, high: float) -> str:
    return f"({number(low)}–{number(high)})"


def rows(results: Results, kinds: Mapping[str, str], section: str) -> list[list[str]]:
    """Heading and lines of a section's table: medians with their quartiles, and ours divided by each other one."""
    figures = [figure for figure in results.figures if figure.section == section]
    servers = [name for name in kinds if any(results.of(figure, name) for figure in figures)]
    ours = next((name for name in servers if kinds[name] == OURS), None)
    others = [name for name in servers if ours is not None and name != ours]
    found = [["", "unit", *servers, *(f"ratio to {name}" for name in others)]]
    for figure in figures:
        compared = results.of(figure, ours or "") if figure.compared else []
        ratios = [ratio(compared, results.of(figure, name)) for name in others]
        found.append(
            [
                figure.name,
                figure.unit,
                *(cell(results.of(figure, name)) for name in servers),
                *("" if one is None else number(one.value) for one in ratios),
            ]
        )
    return found


def markdown(table: Sequence[Sequence[str]]) -> str:
    head, *lines = table
    left = 2 if "unit" in head else len(head)
    rule = ["---" if at < left else "---:" for at in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def text(table: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in table
    )


def wanted_rows(found: Sequence[Outcome], why: Mapping[str, str]) -> list[list[str]]:
    lines = [["", "compared with", "wanted", "measured", "met", "cause"]]
    for outcome in found:
        wanted, measured = outcome.wanted, outcome.ratio
        said = "not measured"
        if measured is not None:
            said = number(measured.value)
            if measured.low is not None and measured.high is not None:
                said += " " + spread(measured.low, measured.high)
        limit = f"{'≥' if wanted.at_least else '≤'} {wanted.limit:g}"
        met = {None: "", True: "yes", False: "**no**"}[outcome.met]
        if outcome.narrow:
            met += ", narrowly"
        cause = why.get(wanted.title, UNNAMED) if outcome.met is False else ""
        lines.append([wanted.title, outcome.server, limit, said, met, cause])
    return lines


def terminal(measurement: Measurement) -> str:
    parts = []
    for section in measurement.results.sections():
        parts.append(f"{section}\n{text(rows(measurement.results, measurement.kinds, section))}")
    found = outcomes(measurement.results, measurement.kinds)
    parts.append(f"Wanted\n{text(wanted_rows([one for one in found if one.ratio is not None], {}))}")
    return "\n\n".join(parts)


def publish(measurement: Measurement, docs: Path) -> list[str]:
    """Write performance.md and, beside the results below performance/, the plots; answers misses without a cause."""
    from benchmarks import plots, prose  # matplotlib takes a second to import, and is not everywhere

    folder = docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    why = causes(folder / CAUSES)
    found = outcomes(measurement.results, measurement.kinds)
    sections = {}
    for section in measurement.results.sections():
        stem = section.lower().replace(" ", "-")
        plots.draw(measurement.results, measurement.kinds, section, folder / stem)
        table = markdown(rows(measurement.results, measurement.kinds, section))
        plot = f"![{section}](performance/{stem}.svg)\n\n[as PNG](performance/{stem}.png)"
        sections[section] = f"## {section}\n\n{plot}\n\n{table}\n"
    page = prose.page(measurement.about, markdown(wanted_rows(found, why)), sections)
    (docs / "performance.md").write_text(page)
    return [one.wanted.title for one in found if one.met is False and one.wanted.title not in why]
