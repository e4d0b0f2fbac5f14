from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from apiserver.engine.ports.processes import Person, ProcessFacts
from apiserver.wire.libpod.top import descriptors, facts_json, go_duration

SLEEPER = ProcessFacts(
    pid=2,
    parent=1,
    process_group=1,
    host_pid=4711,
    state="S",
    nice=5,
    command="sleep",
    arguments=("sleep", "10"),
    started=datetime(2026, 5, 1, 12, tzinfo=UTC),
    elapsed_seconds=80,
    cpu_seconds=1.25,
    terminal="pts/0",
    virtual_kib=2048,
    resident_kib=512,
    user=Person(7, "seven", "someone"),
    real_user=Person(8, "8", "8"),
    group=Person(9, "nine", "9"),
    real_group=Person(10, "ten", "10"),
    groups=(Person(9, "nine", "9"), Person(11, "11", "11")),
    capabilities={"effective": ("SETUID", "CHOWN"), "bounding": None, "ambient": ()},
    seccomp=2,
    label="",
)


def shown(*arguments: str, process: ProcessFacts = SLEEPER) -> tuple[Any, Any]:
    columns = descriptors(arguments)
    assert columns is not None
    value: Any = facts_json([process], columns)
    return value["Titles"], value["Processes"][0]


def test_without_arguments_the_columns_are_those_of_podman() -> None:
    titles, cells = shown()
    assert " ".join(titles) == "USER PID PPID %CPU ELAPSED TTY TIME COMMAND"
    assert cells == ["seven", "2", "1", "1.562", "1m20s", "pts/0", "1s", "sleep 10"]


def test_names_come_apart_or_with_commas_and_codes_mean_the_same() -> None:
    assert descriptors(["pid", "comm"]) == descriptors(["pid,comm"]) == descriptors(["%p", " %c"])
    assert shown("%C,%G,%P,%U,%a,%c,%g,%n,%p,%r,%t,%u,%x,%y,%z") == shown(
        "pcpu,group,ppid,user,args,comm,rgroup,nice,pid,pgid,etime,ruser,time,tty,vsz"
    )


@pytest.mark.parametrize(
    ("name", "title", "cell"),
    [
        ("groups", "GROUPS", "nine,11"),
        ("hpid", "HPID", "4711"),
        ("huser", "HUSER", "someone"),
        ("huid", "HUID", "7"),
        ("hgroups", "HGROUPS", "9,11"),
        ("capeff", "EFFECTIVE CAPS", "CHOWN,SETUID"),
        ("capbnd", "BOUNDING CAPS", "full"),
        ("capamb", "AMBIENT CAPS", "none"),
        ("seccomp", "SECCOMP", "filter"),
        ("label", "LABEL", "?"),
        ("stime", "STIME", "2026-05-01 12:00:00 +0000 UTC"),
        ("state", "STATE", "S"),
        ("rss", "RSS", "512"),
        ("vsz", "VSZ", "2048"),
        ("nice", "NI", "5"),
        ("uid", "UID", "7"),
    ],
)
def test_each_descriptor_has_its_title_and_its_cell(name: str, title: str, cell: str) -> None:
    assert shown(name) == ([title], [cell])


def test_what_has_no_arguments_is_named_in_brackets_and_what_has_no_terminal_is_a_question() -> None:
    assert shown("args,tty", process=replace(SLEEPER, arguments=(), terminal=None))[1] == ["[sleep]", "?"]


def test_what_is_no_descriptor_is_left_to_ps() -> None:
    assert descriptors(["pid", "nonsense"]) is None
    assert descriptors(["-ef"]) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.25, "250ms"), (1.5, "1.5s"), (60, "1m0s"), (3603.004, "1h0m3.004s")]
)
def test_a_span_is_spelled_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
