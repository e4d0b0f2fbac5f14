"""Statistics of the benchmark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.summary import Ratio, Summary, percentile, ratio, summary

VALUES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50)


def test_the_99th_percentile_of_a_hundred_is_the_last_but_one() -> None:
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile(range(1, 101), 0.5) == 50


def test_a_percentile_of_few_values_is_the_greatest_of_them() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([7.0], 0.5) == 7.0


@given(VALUES, st.floats(0.01, 1))
def test_a_percentile_was_measured_and_enough_values_do_not_exceed_it(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_no_values_have_neither_percentile_nor_summary() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="no values"):
        summary([])


def test_one_that_lies_far_out_moves_neither_median_nor_quartiles() -> None:
    assert summary([1, 2, 3, 4, 5]) == Summary(3, 2, 4, 5)
    assert summary([1, 2, 3, 4, 500]) == Summary(3, 2, 4, 5)


def test_few_values_are_spread_from_the_least_to_the_greatest() -> None:
    assert summary([5.0, 1.0, 3.0]) == Summary(3, 1, 5, 3)


@given(VALUES)
def test_the_median_lies_between_the_quartiles(values: list[float]) -> None:
    found = summary(values)
    assert found.low <= found.median <= found.high


def test_a_ratio_is_that_of_the_medians_and_its_spread_that_of_what_was_measured_together() -> None:
    # in the second repetition the machine was busy: it hit both, and their ratio is what it was
    assert ratio([10, 100, 10], [20, 200, 20]) == Ratio(0.5, 0.5, 0.5)
    assert ratio([10, 20, 30], [10, 10, 10]) == Ratio(2, 1, 3)


def test_values_that_do_not_belong_together_have_a_ratio_without_spread() -> None:
    assert ratio([10, 30], [10]) == Ratio(2)


def test_nothing_measured_or_nothing_to_divide_by_is_no_ratio() -> None:
    assert ratio([], [1.0]) is None
    assert ratio([1.0], []) is None
    assert ratio([1.0], [0.0]) is None
