"""The guard by itself: whom it waits for, whom it calls, and when it leaves."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apiserver import guard

EXITED = """#!/bin/sh
echo "$3 $4" >> "$1/told"
rm -rf "$2/unsettled/$3"
"""


class Place:
    """A root with an exit program that notes what it is called for, and settles what was begun but no run."""

    def __init__(self, folder: Path) -> None:
        self.root, self.runroot = folder / "root", folder / "run"
        (self.root / "libexec").mkdir(parents=True)
        (self.runroot / "unsettled").mkdir(parents=True)
        program = self.root / "libexec" / "exited"
        program.write_text(EXITED)
        program.chmod(0o755)
        (self.root / "lock").touch()
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-IS", guard.__file__, self.root, self.runroot])
        self.started.append(process)
        return process

    def run(self, identity: str) -> None:
        directory = self.runroot / "runs" / "box" / "1"
        directory.mkdir(parents=True)
        (directory / "identity").write_text(identity)

    def told(self) -> list[str]:
        path = self.root / "told"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.wait()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_with_nothing_to_watch_it_leaves_and_takes_its_fifo_along(place: Place) -> None:
    assert place.start().wait(10) == 0
    assert (place.told(), (place.runroot / "guard").exists()) == ([], False)


def test_what_was_begun_is_finished_once(place: Place) -> None:
    for name in ("a", "b"):
        (place.runroot / "unsettled" / name).touch()
    assert place.start().wait(10) == 0
    assert place.told() == ["a 0"], "one settles all"


def test_nothing_is_done_while_somebody_has_the_root(place: Place) -> None:
    (place.runroot / "unsettled" / "a").touch()
    with (place.root / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = place.start()
        until((place.runroot / "guard").exists)
        time.sleep(0.2)
        assert place.told() == []
    assert process.wait(10) == 0
    assert place.told() == ["a 0"]


def test_a_run_is_settled_when_its_first_process_ends_and_tried_once(
    place: Place, sleeper: subprocess.Popen[bytes]
) -> None:
    place.run(f"{sleeper.pid} {guard._start_time(sleeper.pid)}")
    process = place.start()
    until((place.runroot / "guard").exists)
    time.sleep(0.2)
    assert (place.told(), process.poll()) == ([], None)
    sleeper.kill()
    sleeper.wait()
    assert process.wait(10) == 0
    assert place.told() == ["box 1"]


def test_another_process_with_the_same_pid_is_not_watched(place: Place) -> None:
    place.run(f"{os.getpid()} 1")
    assert place.start().wait(10) == 0
    assert place.told() == ["box 1"]


def test_there_is_one_for_each_root(place: Place, sleeper: subprocess.Popen[bytes]) -> None:
    place.run(f"{sleeper.pid} {guard._start_time(sleeper.pid)}")
    first = place.start()
    until((place.runroot / "guard").exists)
    time.sleep(0.2)
    assert place.start().wait(10) == 0
    assert first.poll() is None
    assert place.told() == []


def test_without_a_root_and_a_run_root_it_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.main(["guard"]) == 2
    assert "usage: guard ROOT RUNROOT" in capsys.readouterr().err
