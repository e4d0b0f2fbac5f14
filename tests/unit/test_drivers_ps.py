from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as global_reactor

from apiserver.drivers import ps
from apiserver.drivers.process import Programs
from apiserver.errors import PsRefused

reactor: Any = global_reactor


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("-ef", "-A -f"),
        ("-Af", "-A -f"),
        ("-e", "-A"),
        ("aux", "a u x"),
        ("-aux", "a u x"),
        ("auxww", "a u x w"),
        ("-o pid,comm", "-A -o pid -o pid -o comm"),
        ("-eo pid,comm", "-A -o pid -o pid -o comm"),
        ("-eopid,comm", "-A -o pid -o pid -o comm"),
        ("axo pid,comm", "a x -o pid -o pid -o comm"),
        ("-o pid comm -e", "-A -o pid -o pid -o comm"),
        ("--format=args", "-A -o pid -o args"),
        ("-e --sort -pcpu,pid", "-A --sort=-pcpu,pid"),
        ("ax k +rss", "a x --sort=+rss"),
        ("axf -o args", "a x f -o pid -o args"),
        ("-f 17", "-f --pid=17"),
        ("-fp 17,18", "-f --pid=17,18"),
        ("--ppid 1 --forest", "--ppid=1 --forest"),
        ("", "-A"),
    ],
)
def test_what_is_asked_for_is_given_to_ps_in_the_one_way_that_it_can_be_read(asked: str, given: str) -> None:
    assert " ".join(ps.parse(asked.split()).arguments) == given


@pytest.mark.parametrize(
    "asked",
    [
        *("e", "axe", "auxe", "-axe", "ef", "eww", "-o environ", "-o pid,environ", "axo environ", "-E", "E"),
        *("-C e", "-u e", "-u root", "-t pts/0", "t/dev/tty", "-g 1", "-s 1", "-q 1", "q1", "U root", "--user root"),
        *("-Z", "Z", "M", "--context", "-N", "--deselect", "-V", "V", "--version", "--help", "L", "--info", "h"),
        *("--no-headers", "--cols=5", "-xC", "-O pid", "O pid", "-n file", "N file", "--pid=e", "-p e", "-p 1,e"),
        *("-o", "-o ,", "--sort", "--sort e", "k environ", "-", "--", "-o pid=e", "-o pid= ", "-e;id", "$(id)", "-17"),
        *("-ef -o pid,args", "aux -o pid", "-lo pid", "-o e", "é", "-o pid\x00e"),
    ],
)
def test_what_reads_files_shows_environments_or_is_not_known_is_refused_by_its_name(asked: str) -> None:
    with pytest.raises(PsRefused):
        ps.parse(asked.split(" "))


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("asked", "titles"),
    [
        ("-ef", "UID PID PPID C STIME TTY TIME CMD"),
        ("aux", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
        ("-o comm,args", "COMMAND COMMAND"),
        ("-o lstart,pid,args", "STARTED PID COMMAND"),
    ],
)
async def test_each_row_has_a_cell_for_each_title_and_the_last_one_has_the_rest(asked: str, titles: str) -> None:
    child = subprocess.Popen(["sleep", "1000.5"], env=os.environ | {"SECRET_OF_A_STRANGER": "yes"})
    try:
        shown, rows = await ps.listing(Programs(reactor), ps.parse(asked.split()))
    finally:
        child.kill()
        child.wait()
    assert shown == tuple(titles.split())
    assert {len(row.cells) for row in rows} == {len(shown)}
    (row,) = (row for row in rows if row.pid == child.pid)
    assert row.cells[-1] == "sleep 1000.5"
    if asked.startswith("-o lstart"):
        assert (len(row.cells[0].split()), row.cells[1]) == (5, str(child.pid))


@pytest_twisted.ensureDeferred
async def test_options_that_ps_does_not_take_together_are_the_clients_fault() -> None:
    with pytest.raises(PsRefused):
        await ps.listing(Programs(reactor), ps.parse(["-y", "-e"]))


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "asked", ["-ef", "-Aly", "aux", "axf", "axs", "axv", "axX", "axj", "-eLf", "-eT", "-em", "axmu"]
)
async def test_no_format_shows_an_environment(asked: str) -> None:
    child = subprocess.Popen(["sleep", "1000.5"], env=os.environ | {"SECRET_OF_A_STRANGER": "yes"})
    try:
        _, rows = await ps.listing(Programs(reactor), ps.parse(asked.split()))
    finally:
        child.kill()
        child.wait()
    assert child.pid in {row.pid for row in rows}
    assert "SECRET_OF_A_STRANGER" not in str(rows)
