"""What the benchmark finds out about processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

from benchmarks.memory import peak, resident
from benchmarks.places import Cgroups, children

HOLD = "import sys; held = b'x' * (int(sys.argv[1]) << 20); print(flush=True); sys.stdin.read()"
MIB = 1 << 20


@contextmanager
def holding(mib: int) -> Iterator[int]:
    """The pid of a process that has so much more memory than an interpreter."""
    command = [sys.executable, "-c", HOLD, str(mib)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


def test_a_child_of_another_thread_than_the_main_one_is_found() -> None:
    found: list[bool] = []

    def start_one() -> None:
        with holding(0) as pid:
            found.append(pid in children(getpid()))

    thread = threading.Thread(target=start_one)
    thread.start()
    thread.join()
    assert found == [True]


def test_a_process_that_has_ended_has_no_children() -> None:
    with holding(0) as pid:
        pass
    assert children(pid) == []


def test_memory_is_that_of_all_processes() -> None:
    with holding(64) as one, holding(32) as other:
        both = resident([one, other])
        assert both == resident([one]) + resident([other])
        assert both > 96 * MIB


def test_a_peak_is_seen_of_what_came_and_went_while_it_was_watched() -> None:
    with peak(lambda: [getpid(), *children(getpid())]) as found:
        before = resident([getpid()])
        with holding(64):
            while found.bytes <= before + 64 * MIB:
                time.sleep(0.01)
    seen = found.bytes
    with holding(128):
        time.sleep(0.1)
    assert found.bytes == seen


def test_cgroups_that_came_are_removed_and_those_that_were_there_are_not(tmp_path: Path) -> None:
    (tmp_path / "memory/docker/old").mkdir(parents=True)
    (tmp_path / "pids").mkdir()
    cgroups = Cgroups("docker", tmp_path)
    (tmp_path / "pids/docker/new").mkdir(parents=True)
    (tmp_path / "pids/other").mkdir()
    cgroups.remove()
    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")) == [
        *("memory", "memory/docker", "memory/docker/old", "pids", "pids/other")
    ]
