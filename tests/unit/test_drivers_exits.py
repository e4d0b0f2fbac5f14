"""How containers ended, from conmon's files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from apiserver.drivers.conmon import exits
from apiserver.drivers.conmon.exits import Exit, ExitDirectories, read_exit


class DescriptorClock(Clock):
    """Time by hand; descriptors are never ready."""

    def addReader(self, reader: object) -> None: ...
    def removeReader(self, reader: object) -> None: ...
    def addWriter(self, writer: object) -> None: ...
    def removeWriter(self, writer: object) -> None: ...


def write(file: Path, text: str, finished: float = 1_700_000_000) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (finished, finished))


def test_the_end_is_code_and_time_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "exits/id", "137")
    assert read_exit(tmp_path / "exits/id") == Exit(137, False, datetime.fromtimestamp(1_700_000_000, UTC))


def test_what_has_not_ended_has_no_end(tmp_path: Path) -> None:
    assert read_exit(tmp_path / "exits/id", tmp_path / "persist") is None


@pytest.mark.parametrize("text", ["", "\n", "odd", "-"])
def test_a_file_without_a_code_is_no_end(tmp_path: Path, text: str) -> None:
    write(tmp_path / "id", text)
    assert read_exit(tmp_path / "id") is None


def test_conmons_own_time_out_is_minus_one(tmp_path: Path) -> None:
    write(tmp_path / "id", "-1")
    found = read_exit(tmp_path / "id")
    assert found is not None
    assert found.code == -1


def test_an_oom_kill_is_a_file_beside(tmp_path: Path) -> None:
    write(tmp_path / "id", "137")
    write(tmp_path / "persist/oom", "")
    found = read_exit(tmp_path / "id", tmp_path / "persist")
    assert found is not None
    assert found.oom_killed


def test_the_persistent_directory_knows_the_code_where_the_exit_directory_is_gone(tmp_path: Path) -> None:
    write(tmp_path / "persist/exit", "4")
    found = read_exit(tmp_path / "gone/id", tmp_path / "persist")
    assert found is not None
    assert found.code == 4


def test_what_is_there_already_is_told_at_once_and_conmons_part_files_are_not(tmp_path: Path) -> None:
    write(tmp_path / "id", "0")
    write(tmp_path / "id.AB12CD", "0")
    told: list[tuple[Path, str]] = []
    watching = ExitDirectories(DescriptorClock(), lambda *what: told.append(what))
    watching.watch(tmp_path)
    watching.close()
    assert told == [(tmp_path, "id")]


def test_without_inotify_directories_are_looked_at_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(exits, "AppearingFiles", none_left)
    clock, told = DescriptorClock(), []
    watching = ExitDirectories(clock, lambda _, name: told.append(name))
    watching.watch(tmp_path)
    clock.advance(1)
    assert told == []
    write(tmp_path / "id", "0")
    clock.advance(1)
    assert told == ["id"]
    watching.forget(tmp_path)
    clock.pump([1, 1])
    assert told == ["id"]
    watching.close()
    assert clock.getDelayedCalls() == []


def test_a_directory_that_goes_away_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = ExitDirectories(DescriptorClock(), lambda *_: None)
    gone = tmp_path / "gone"
    watching.watch(gone)
    (tmp_path / "there").mkdir()
    watching.watch(tmp_path / "there")
    (tmp_path / "there").rmdir()
    watching.forget(tmp_path / "there")
    watching.forget(gone)
    watching.forget(gone)
    watching.close()
