"""What somebody else's tree holds is counted as Docker counts it, and whatever it is, counting ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from apiserver.drivers.linux import tree_size
from apiserver.drivers.linux.tree_size import tree_bytes


def test_files_count_once_and_directories_nothing(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "one").write_bytes(b"1" * 1000)
    (tmp_path / "a" / "two").write_bytes(b"2" * 200)
    (tmp_path / "a" / "b" / "again").hardlink_to(tmp_path / "one")
    assert tree_bytes(tmp_path) == 1200


def test_a_link_counts_its_own_length_and_is_not_followed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "big").write_bytes(b"x" * 5000)
    (tree / "link").symlink_to("../outside")
    assert tree_bytes(tree) == len("../outside")
    with pytest.raises(OSError, match="link"):
        tree_bytes(tree / "link")


def test_a_hole_counts_as_it_reads(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert tree_bytes(tmp_path) == 1 << 30


def test_a_fifo_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert tree_bytes(tmp_path) == 0


def test_what_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert tree_bytes(tmp_path / "none") == 0


def test_a_tree_deeper_than_any_path_is_counted_down_to_a_limit(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_DIRECTORY)
    for _ in range(600):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.symlink("1234", "link", dir_fd=here)
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert tree_bytes(tmp_path) == 500 * 4


def test_names_beyond_what_is_remembered_count_their_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_size, "_REMEMBERED", 1)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x" * 300)
        for number in range(2):
            (tmp_path / f"{name}{number}").hardlink_to(tmp_path / name)
    assert tree_bytes(tmp_path) == 600


def test_counting_leaves_no_descriptor_and_ends_when_nobody_wants_it(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / str(number) / "x").mkdir(parents=True)
        (tmp_path / str(number) / "x" / "file").write_bytes(b"12345")
    before = os.listdir("/proc/self/fd")
    asked: list[None] = []

    def given_up() -> bool:
        asked.append(None)
        return len(asked) > 4

    assert tree_bytes(tmp_path, given_up) < 25
    assert tree_bytes(tmp_path) == 25
    assert len(os.listdir("/proc/self/fd")) == len(before)
