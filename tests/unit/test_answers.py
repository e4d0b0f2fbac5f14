"""Comparing answers: what counts as a difference, and that each one that is kept has its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.answers.command import GOLDENS, read_goldens
from tests.support.answers.difference import (
    Difference,
    Reason,
    complaints,
    differences,
    disagreements,
    read_reasons,
    read_report,
    report,
)
from tests.support.answers.normal import normalised
from tests.support.answers.story import Answers

FLAVOURS = pytest.mark.parametrize("flavour", ["docker", "libpod"])


def kept(flavour: str) -> Path:
    return GOLDENS / "differences" / flavour


@FLAVOURS
def test_every_difference_that_is_kept_has_a_reason_and_every_reason_a_difference(flavour: str) -> None:
    found = read_report(kept(flavour).with_suffix(".txt").read_text())
    assert found
    assert complaints(found, read_reasons(kept(flavour).with_suffix(".toml"))) == []


@FLAVOURS
def test_the_differences_that_are_kept_are_those_of_the_goldens_that_are_kept(flavour: str) -> None:
    text = kept(flavour).with_suffix(".txt").read_text()
    found = read_report(text)
    assert disagreements(found, read_goldens(flavour)) == []
    assert f": {len(found)} places." in text.splitlines()[0]


def test_a_golden_that_was_changed_alone_disagrees_with_what_is_kept() -> None:
    found = [Difference("doc [a].x", "1", "2"), Difference("doc gone", "absent", "2"), Difference("doc y.z", "{}", "3")]
    golden: dict[str, Any] = {"doc": [{"Name": "a", "x": 1}]}
    assert disagreements(found[:1], golden) == []
    assert disagreements(found[:1], {"doc": [{"Name": "a", "x": 2}]}) == ["doc [a].x"]
    assert disagreements(found[:1], {"doc": []}) == ["doc [a].x"]
    assert disagreements(found[1:], {"doc": {"y": {"z": {}}}}) == []
    assert disagreements(found[1:], {"doc": {"gone": None, "y": {}}}) == ["doc gone", "doc y.z"]


def test_a_missing_key_another_type_and_another_value_are_differences() -> None:
    ours = {"doc": {"same": 1, "value": 1, "type": None, "extra": ""}}
    theirs = {"doc": {"same": 1, "value": 2, "type": [], "missing": {}}}
    assert differences(ours, theirs) == [
        Difference("doc extra", '""', "absent"),
        Difference("doc missing", "absent", "{}"),
        Difference("doc type", "null", "[]"),
        Difference("doc value", "1", "2"),
    ]


def test_objects_in_a_list_are_compared_by_what_they_are_called() -> None:
    ours = {"doc": [{"Name": "a", "x": 1}, {"Name": "b", "x": 1}]}
    theirs = {"doc": [{"Name": "b", "x": 2}]}
    assert [each.where for each in differences(ours, theirs)] == ["doc [a]", "doc [b].x"]


def test_a_difference_without_a_reason_and_a_reason_without_a_difference_are_complained_of() -> None:
    found = [Difference("doc a", "1", "2"), Difference("doc b", "1", "2")]
    assert complaints(found, [Reason("so", ("* a", "* c"))]) == [
        "no reason is given for: doc b",
        "nothing differs any more at: * c",
    ]


def test_a_report_is_read_as_it_was_written() -> None:
    found = [Difference("doc a.b", '"x | y"', "absent"), Difference("doc c", "[]", "null")]
    assert read_report(report("title", found, [Reason("so", ("doc a.*",))])) == found


def test_placeholders_keep_the_format_and_what_is_empty() -> None:
    answers = Answers()
    answers.ids["ab" * 32] = "image"
    answers.folders["/srv/data"] = "root"
    answers.add(
        "doc",
        {
            "Image": "sha256:" + "ab" * 32,
            "StartedAt": "2026-01-02T03:04:05.6Z",
            "Local": "2026-01-02T03:04:05+01:00",
            "FinishedAt": "0001-01-01T00:00:00Z",
            "Pid": 12,
            "Place": "/srv/data/x",
            "time": 1_800_000_000,
            "Nothing": None,
        },
    )
    assert normalised(answers)["doc"] == {
        "FinishedAt": "0001-01-01T00:00:00Z",
        "Image": "sha256:<id of image>",
        "Local": "<time with its zone>",
        "Nothing": None,
        "Place": "<root>/x",
        "Pid": "<number: Pid>",
        "StartedAt": "<time in UTC>",
        "time": "<Unix seconds>",
    }


def test_a_path_that_each_engine_lays_out_itself_is_a_path_or_nothing() -> None:
    answers = Answers()
    answers.folders["/srv/data"] = "root"
    answers.add("doc", {"HostsPath": "/srv/data/c/hosts", "LogPath": "", "Path": "/bin/sh", "Source": "/srv/data/v"})
    assert normalised(answers)["doc"] == {
        "HostsPath": "<path>",
        "LogPath": "",
        "Path": "/bin/sh",
        "Source": "<root>/v",
    }


def test_words_whose_order_says_nothing_are_compared_in_order() -> None:
    answers = Answers()
    answers.add("doc", {"Binds": ["b:/b:rw,nodev", "a:/a:ro"], "Env": ["B=x:b,a", "A=1"], "Cmd": ["z", "a"]})
    assert normalised(answers)["doc"] == {
        "Binds": ["a:/a:ro", "b:/b:nodev,rw"],
        "Cmd": ["z", "a"],
        "Env": ["A=1", "B=x:b,a"],
    }
