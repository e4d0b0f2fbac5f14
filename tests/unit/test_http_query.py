from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from apiserver.errors import InvalidParameter
from apiserver.http import query
from apiserver.http.flavour import Flavour


class Asked:
    """What of a request the query is read from."""

    def __init__(self, text: str, flavour: Flavour) -> None:
        self.flavour = flavour
        self.uri = f"/x?{text}".encode()
        self.query_values: dict[str, list[str]] | None = None


def asked(text: str, flavour: Flavour = Flavour.DOCKER) -> Any:
    return Asked(text, flavour)


@pytest.mark.parametrize("value", ["", "0", "no", "false", "none", " False "])
def test_docker_takes_few_words_for_false(value: str) -> None:
    assert query.docker_bool(asked(f"x={quote(value)}"), "x", default=True) is False


@pytest.mark.parametrize("value", ["1", "true", "yes", "anything"])
def test_docker_takes_anything_else_for_true(value: str) -> None:
    assert query.docker_bool(asked(f"x={value}"), "x") is True


@pytest.mark.parametrize(("value", "meant"), [("on", True), ("T", True), ("1", True), ("f", False), ("0", False)])
def test_libpod_takes_gos_words_and_on(value: str, meant: bool) -> None:
    assert query.libpod_bool(asked(f"x={value}"), "x", default=not meant) is meant


def test_libpod_refuses_other_words_and_names_the_field() -> None:
    with pytest.raises(InvalidParameter, match="for force"):
        query.libpod_bool(asked("force=maybe"), "force")


def test_an_empty_libpod_boolean_keeps_its_default() -> None:
    assert query.libpod_bool(asked("x="), "x", default=True) is True


@pytest.mark.parametrize(("flavour", "counts"), [(Flavour.DOCKER, "a"), (Flavour.LIBPOD, "b")])
def test_names_are_taken_in_any_case_and_one_value_counts(flavour: Flavour, counts: str) -> None:
    assert query.string(asked("Name=a&NAME=b", flavour), "name") == counts


def test_an_empty_scalar_keeps_its_default() -> None:
    request = asked("a=&b=&c=")
    assert (query.string(request, "a", "d"), query.integer(request, "b", 7), query.number(request, "c", 1.5)) == (
        "d",
        7,
        1.5,
    )


@pytest.mark.parametrize("value", ["x", "1.5", "1_000", "9" * 30, "%D9%A1", "0x10"])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    with pytest.raises(InvalidParameter, match="for t"):
        query.integer(asked(f"t={value}"), "t")


def test_whole_numbers_have_bounds_where_they_are_given() -> None:
    assert query.integer(asked("t=-1"), "t", minimum=-1) == -1
    with pytest.raises(InvalidParameter, match="at least -1"):
        query.integer(asked("t=-2"), "t", minimum=-1)
    with pytest.raises(InvalidParameter, match="at most 10"):
        query.integer(asked("t=11"), "t", maximum=10)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "abc"])
def test_a_number_is_finite(value: str) -> None:
    with pytest.raises(InvalidParameter, match="for t"):
        query.number(asked(f"t={value}"), "t")


def test_repeated_names_make_a_list_that_commas_do_not_split() -> None:
    assert query.strings(asked("n=a,b&n=&N=c"), "n") == ("a,b", "c")


@pytest.mark.parametrize("form", [{"label": {"a": True, "b=c": True}}, {"label": ["a", "b=c"]}])
def test_filters_come_in_two_forms(form: Any) -> None:
    assert query.filters(asked("filters=" + quote(json.dumps(form)))) == {"label": ("a", "b=c")}


@pytest.mark.parametrize("text", ["", "{}", "null"])
def test_no_filters_are_none(text: str) -> None:
    assert query.filters(asked(f"filters={text}")) == {}


@pytest.mark.parametrize(
    "text",
    ["x", "[]", r'{"\ud800":["a"]}', r'{"a":["\ud800"]}', '{"a":1}', '{"a":[1]}', '{"a":{"b":1}}', "[" * 100_000],
)
def test_bad_filters_are_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidParameter, match="filters"):
        query.filters(asked("filters=" + quote(text)))


def test_bytes_that_are_no_utf_8_do_no_harm() -> None:
    request = asked("")
    request.uri = b"/x?name=%FF&raw=\xff&half=%ED%A0%80"
    assert [query.string(request, name) for name in ("name", "raw", "half")] == ["\ufffd", "\ufffd", "\ufffd" * 3]
