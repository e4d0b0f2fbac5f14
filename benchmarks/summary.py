"""Statistics of repeated measurements."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Values = list[float]


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least `share` (0 to 1) of all do not exceed: always one that was measured."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)  # rounded up
    return ordered[max(0, int(rank) - 1)]


@dataclass(frozen=True)
class Summary:
    """
    Attributes:
        low, high: the quartiles; with fewer than four values, the least and the greatest.
    """

    median: float
    low: float
    high: float
    count: int

    @property
    def spread(self) -> float:
        """How far the quartiles are apart, as a share of the median; 0 where that is 0."""
        return (self.high - self.low) / self.median if self.median else 0.0


def summary(values: Sequence[float]) -> Summary:
    """
    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no values")
    if len(values) < 4:
        low, high = min(values), max(values)
    else:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Summary(statistics.median(values), low, high, len(values))


@dataclass(frozen=True)
class Ratio:
    """
    Attributes:
        value: median to median.
        low, high: quartiles of the ratios within each repetition; None where values are missing.
    """

    value: float
    low: float | None = None
    high: float | None = None


def ratio(values: Sequence[float], others: Sequence[float]) -> Ratio | None:
    """What share of `others` the `values` are, or None where one was not measured or the other is 0.

    The n-th values of both are of one repetition, so what else the machine did hit both.
    """
    if not values or not others:
        return None
    other = statistics.median(others)
    if not other:
        return None
    value = statistics.median(values) / other
    pairs = [one / two for one, two in zip(values, others, strict=False) if two]
    if len(values) != len(others) or not pairs:
        return Ratio(value)
    of_pairs = summary(pairs)
    return Ratio(value, of_pairs.low, of_pairs.high)
