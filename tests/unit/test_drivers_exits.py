"""How containers ended, from conmon's files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apiserver.drivers.conmon.exits import Exit, read_exit


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
