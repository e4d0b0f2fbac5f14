"""What the benchmark makes of its results: wanted ratios, causes, tables."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks.figures import Figure, Results
from benchmarks.measure import repeat
from benchmarks.options import arguments, kind_of
from benchmarks.prose import page
from benchmarks.report import Measurement, cell, markdown, number, rows, text, wanted_rows
from benchmarks.servers import Server
from benchmarks.wanted import WANTED, Wanted, causes, outcomes
from benchmarks.workloads import footprints, lists, runs, streams
from benchmarks.workloads.load import read_log
from benchmarks.workloads.workload import Scale, Workload

KINDS = {"apiserver": "apiserver", "podman": "podman", "podman-12": "podman"}
RUN = runs.one("whole", "none")


def results(*values: tuple[Figure, str, float]) -> Results:
    found = Results()
    for figure, server, value in values:
        found.add(figure, server, value)
    return found


def test_each_wanted_ratio_has_a_title_of_its_own() -> None:
    assert len({wanted.title for wanted in WANTED}) == len(WANTED)


def test_a_time_is_met_at_its_limit_or_below_and_a_rate_at_its_limit_or_above() -> None:
    time = Wanted("run", RUN, "podman", 0.8)
    rate = Wanted("log", streams.LOGS, "podman", 5, at_least=True)
    assert [time.is_met(value) for value in (0.7, 0.8, 0.81)] == [True, True, False]
    assert [rate.is_met(value) for value in (4.9, 5, 6)] == [False, True, True]


def test_ours_is_compared_with_each_server_of_the_kind() -> None:
    found = results((RUN, "apiserver", 40), (RUN, "podman", 50), (RUN, "podman-12", 100))
    compared = [one for one in outcomes(found, KINDS) if one.wanted.figure == RUN and one.wanted.other == "podman"]
    assert [(one.server, one.ratio and one.ratio.value, one.met) for one in compared] == [
        ("podman", 0.8, True),
        ("podman-12", 0.4, True),
    ]


def test_a_limit_of_its_own_is_compared_with_nobody() -> None:
    found = results((footprints.PULL_GROWTH, "apiserver", 41.0))
    (one,) = [one for one in outcomes(found, KINDS) if one.wanted.figure == footprints.PULL_GROWTH]
    assert (one.server, one.met) == ("", False)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {one.met for one in outcomes(Results(), KINDS)} == {None}


def test_a_missed_ratio_is_shown_with_its_cause() -> None:
    found = outcomes(results((lists.listed(100), "apiserver", 3), (lists.listed(100), "podman", 10)), KINDS)
    missed = [one for one in found if one.met is False]
    assert wanted_rows(missed, {"list of 100": "it is slow"})[1] == [
        *("list of 100", "podman", "≤ 0.1", "0.300 (0.300–0.300)", "**no**", "it is slow")
    ]
    assert wanted_rows(missed, {})[1][-1] == "not named yet"


def test_a_cause_is_read_by_title_and_one_of_nothing_wanted_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "causes.txt"
    assert causes(file) == {}
    file.write_text("# why\n\nexec: conmon: two processes more\n")
    assert causes(file) == {"exec": "conmon: two processes more"}
    file.write_text("exce: misspelt\n")
    with pytest.raises(ValueError, match="exce"):
        causes(file)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "results.json"
    written = results((RUN, "apiserver", 1.5), (RUN, "apiserver", 2.5), (streams.LOGS, "podman", 9))
    Measurement({"servers": [{"name": "apiserver", "kind": "apiserver"}]}, written).write(file)
    read = Measurement.read(file)
    assert read.results.figures == written.figures
    assert read.kinds == {"apiserver": "apiserver"}
    assert json.loads(file.read_text())["figures"][0]["unit"] == "ms"


def test_a_limit_between_the_quartiles_is_met_narrowly() -> None:
    found = results(*[(RUN, "apiserver", value) for value in (60, 70, 95)], *[(RUN, "podman", 100)] * 3)
    (one,) = [one for one in outcomes(found, KINDS) if one.ratio is not None]
    assert wanted_rows([one], {})[1][3:5] == ["0.700 (0.600–0.950)", "yes, narrowly"]


def test_what_has_no_spread_is_shown_without() -> None:
    found = results((RUN, "apiserver", 40), (RUN, "apiserver", 44), (RUN, "podman", 100))
    (one,) = [one for one in outcomes(found, KINDS) if one.ratio is not None]
    assert wanted_rows([one], {})[1][3:5] == ["0.420", "yes"]


def test_values_that_mean_different_things_have_no_ratio() -> None:
    growth = footprints.PULL_GROWTH
    found = results((growth, "apiserver", 4), (growth, "podman", 10))
    assert rows(found, KINDS, growth.section)[1][-1] == ""


def test_a_table_has_medians_with_quartiles_and_our_share_of_each_other_one() -> None:
    found = results((RUN, "apiserver", 40), (RUN, "apiserver", 60), (RUN, "podman", 100))
    table = rows(found, KINDS, RUN.section)
    assert table == [
        ["", "unit", "apiserver", "podman", "ratio to podman"],
        [RUN.name, "ms", "50.0 (40.0–60.0)", "100", "0.500"],
    ]
    assert markdown(table).splitlines()[1] == "| --- | --- | ---: | ---: | ---: |"
    assert text([["a", "b"], ["long", ""]]) == "a     b\nlong"


def test_numbers_have_the_digits_that_count() -> None:
    values = (0.0, 0.0000012, 0.01234, 0.1234, 1.0, 9.994, 12.34, 1234.5)
    assert [number(value) for value in values] == ["0", "0.00000", "0.0123", "0.123", "1.00", "9.99", "12.3", "1,234"]
    assert cell([]) == ""


def test_the_rate_is_what_was_answered_from_the_first_request_to_the_last_answer() -> None:
    load = read_log("1000000\t200\t250000\n1250000\t200\t250000\n", 2)
    assert load.rate == pytest.approx(4)
    assert load.latencies == [0.25, 0.25]


def test_an_answer_that_is_missing_or_an_error_makes_no_rate() -> None:
    with pytest.raises(RuntimeError, match="1 were answered"):
        read_log("1\t200\t1\n", 2)
    with pytest.raises(RuntimeError, match="1 of them not with 200"):
        read_log("1\t200\t1\n2\t500\t1\n", 2)


def test_a_server_is_of_the_kind_that_its_name_begins_with() -> None:
    assert kind_of("podman-13").name == "podman"
    with pytest.raises(argparse.ArgumentTypeError, match="crio"):
        kind_of("crio")


def test_two_servers_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(tmp_path, ["--server", "podman", "--socket", "podman=/run/s"])
    assert "one name" in capsys.readouterr().err


def test_servers_take_turns_in_going_first_and_one_that_fails_is_left_out(tmp_path: Path) -> None:
    servers = [Server(name, kind_of(name), tmp_path / name) for name in ("apiserver", "podman", "dockerd")]
    order: list[str] = []

    def measure(server: Server, _scale: Scale) -> list[tuple[Figure, float]]:
        order.append(server.name[0])
        if server.name == "dockerd":
            raise RuntimeError("it cannot")
        return [(RUN, 1.0)]

    found = Results()
    failures = repeat(Workload("run", measure), servers, Scale(tmp_path), 3, found)
    assert "".join(order) == "apdapap"
    assert failures == ["run: dockerd: it cannot"]
    assert found.figures == {RUN: {"apiserver": [1.0] * 3, "podman": [1.0] * 3}}


def test_what_is_measured_several_times_in_a_repetition_has_one_place_in_it(tmp_path: Path) -> None:
    server = Server("apiserver", kind_of("apiserver"), tmp_path / "apiserver")
    found = Results()
    repeat(Workload("run", lambda *_: [(RUN, value) for value in (1.0, 9.0, 2.0)]), [server], Scale(tmp_path), 2, found)
    assert found.of(RUN, "apiserver") == [2.0, 2.0]


def test_only_what_is_shown_is_explained(tmp_path: Path) -> None:
    machine = {
        "system": "Debian",
        "kernel": "6",
        "python": "3",
        "processors": 2,
        "model": "M",
        "memory_gb": 1,
        "load": [0.5],
        "storage": "ext4",
    }
    about = {
        "date": "2026-01-02",
        "commit": "abc",
        "command": "sudo it --only run",
        "minutes": 3,
        "stolen_percent": 0.25,
        "packages": {"twisted": "1.2"},
        "servers": [],
        "failures": [],
        "machine": machine,
        "options": arguments(tmp_path, ["--repetitions", "5"]).as_json(),
    }
    said = page(about, "WANTED", {"Runs": "## Runs\n"})
    assert "sudo it --only run" in said
    assert "in 3 minutes" in said
    assert "5 repetitions" in said
    assert "commit abc, with twisted 1.2" in said
    assert "- **Runs**: create" in said
    assert "**Flows**" not in said
