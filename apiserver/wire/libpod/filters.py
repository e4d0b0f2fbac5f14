"""Tests that the filters of several listings share (podman: pkg/util/filters.go, common/pkg/filters)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from apiserver.errors import InvalidParameter
from apiserver.wire.patterns import compile_pattern

Filters = Mapping[str, Sequence[str]]
_NOT_HEX = re.compile(r"[^0-9a-fA-F]")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def truths(key: str, values: Sequence[str]) -> set[bool]:
    """Each of `true` and `false` that is asked for.

    Raises:
        InvalidParameter
    """
    for value in values:
        if value.lower() not in _TRUTHS:
            raise InvalidParameter(f'"{value}" is not a valid value for the "{key}" filter - must be true or false')
    return {_TRUTHS[value.lower()] for value in values}


def has_labels(labels: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Whether all of `NAME` or `NAME=VALUE` are there; an empty value is as none, and `*` ends a beginning."""
    return all(_has_label(labels, each) for each in wanted)


def _has_label(labels: Mapping[str, str], wanted: str) -> bool:
    name, _, value = wanted.partition("=")
    if name.endswith("*"):
        found = [each for key, each in labels.items() if key.startswith(name[:-1])]
    else:
        found = [labels[name]] if name in labels else []
    return any(not value or each == value for each in found)


def has_id(whole: str, wanted: Sequence[str]) -> bool:
    """Whether an id begins with one of these; what is more than hexadecimal digits is a regular expression.

    Raises:
        InvalidParameter: an expression that could take long.
    """
    begins = tuple(each.lower() for each in wanted if not _NOT_HEX.search(each))
    return whole.startswith(begins) or matches_any(whole, [each for each in wanted if _NOT_HEX.search(each)], "id")


def matches_any(text: str, patterns: Sequence[str], key: str = "name") -> bool:
    """Whether one of the regular expressions is found in `text`.

    Raises:
        InvalidParameter: an expression that could take long.
    """
    return any(compile_pattern(key, pattern).search(text) for pattern in patterns)
