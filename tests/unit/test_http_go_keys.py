from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct, field

from apiserver.http.go_keys import with_known_keys


class Inner(Struct):
    size: int | None = field(name="Size", default=None)


class Outer(Struct):
    image: str = ""
    labels: dict[str, str] | None = None
    inner: Inner | None = field(name="Inner", default=None)
    many: list[Inner] = field(default_factory=list)
    named: dict[str, Inner] = field(default_factory=dict)
    networks: list[str] | None = None
    Networks: list[str] | None = None
    anything: Any = None


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ({"Image": "a"}, {"image": "a"}),
        ({"INNER": {"size": 1}}, {"Inner": {"Size": 1}}),
        ({"Many": [{"size": 1}, {"Size": 2}]}, {"many": [{"Size": 1}, {"Size": 2}]}),
    ],
)
def test_a_key_becomes_the_field_that_it_names_but_for_its_case(value: Any, known: Any) -> None:
    assert with_known_keys(value, Outer) == known


def test_the_keys_of_a_free_map_are_data() -> None:
    assert with_known_keys({"labels": {"Image": "x"}, "named": {"SIZE": {"size": 1}}}, Outer) == {
        "labels": {"Image": "x"},
        "named": {"SIZE": {"Size": 1}},
    }


def test_a_key_that_is_a_fields_own_is_no_other_ones() -> None:
    value = {"networks": ["a"], "Networks": ["b"]}
    assert with_known_keys(value, Outer) is value


def test_of_several_spellings_the_last_counts() -> None:
    assert with_known_keys({"image": "a", "IMAGE": "b"}, Outer) == {"image": "b"}


@pytest.mark.parametrize(
    "value",
    [{}, [], None, 5, {"Unknown": {"Image": 1}}, {"anything": {"Image": 1}}, {"many": 5, "labels": [], "Inner": []}],
)
def test_what_needs_no_change_stays_the_same_object(value: Any) -> None:
    assert with_known_keys(value, Outer) is value
