"""Trees that somebody else made go whole, and nothing else goes with them."""

from __future__ import annotations

import os
from pathlib import Path

from apiserver.drivers.linux.remove_tree import remove_tree


def test_a_tree_deeper_than_any_path_goes(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    here = os.open(tree, os.O_DIRECTORY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    remove_tree(tree)
    assert not tree.exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "file").write_text("kept")
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    for place in (tree, tree / "a", tree / "a" / "b"):
        (place / "link").symlink_to(outside)
        (place / "file").write_text("x")
    remove_tree(tree)
    assert not tree.exists()
    assert sorted(path.name for path in outside.iterdir()) == ["deep", "file"]


def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    remove_tree(tmp_path / "none")
