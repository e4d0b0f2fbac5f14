"""What is measured: a name, a unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.summary import Values


@dataclass(frozen=True)
class Figure:
    """
    Attributes:
        section: of the report; one plot and one table each.
        unit: of the values.
        more_is_better: as with a rate; else less is, as with a time.
        compared: the value means the same for each server.
    """

    section: str
    name: str
    unit: str
    more_is_better: bool = False
    compared: bool = True


Measured = list[tuple[Figure, float]]


class Results:
    """All values, by figure and server, in the order in which they came."""

    def __init__(self) -> None:
        self.figures: dict[Figure, dict[str, Values]] = {}

    def add(self, figure: Figure, server: str, value: float) -> None:
        self.figures.setdefault(figure, {}).setdefault(server, []).append(value)

    def of(self, figure: Figure, server: str) -> Values:
        return self.figures.get(figure, {}).get(server, [])

    def servers(self) -> list[str]:
        return list(dict.fromkeys(server for by_server in self.figures.values() for server in by_server))

    def sections(self) -> list[str]:
        return list(dict.fromkeys(figure.section for figure in self.figures))

    def as_json(self) -> list[dict[str, object]]:
        return [
            {
                "section": figure.section,
                "name": figure.name,
                "unit": figure.unit,
                "more_is_better": figure.more_is_better,
                "compared": figure.compared,
                "values": by_server,
            }
            for figure, by_server in self.figures.items()
        ]

    @classmethod
    def from_json(cls, rows: list[dict[str, object]]) -> Results:
        results = cls()
        for row in rows:
            figure = Figure(
                str(row["section"]),
                str(row["name"]),
                str(row["unit"]),
                bool(row["more_is_better"]),
                bool(row["compared"]),
            )
            values = row["values"]
            assert isinstance(values, dict)
            results.figures[figure] = {server: [float(value) for value in each] for server, each in values.items()}
        return results
