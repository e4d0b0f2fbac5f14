from __future__ import annotations

from pathlib import Path
from typing import Any

from apiserver.local.guard import LocalGuard
from apiserver.local.paths import Paths


def test_what_was_begun_is_kept_for_the_containers_named_and_for_bridges(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "root", tmp_path)
    paths.unsettled.mkdir()
    for name in ("a" * 64, "b" * 64, "bridges"):
        (paths.unsettled / name).touch()
    nobody: Any = None  # is started
    LocalGuard(paths, nobody, nobody, nobody).keep({"a" * 64})
    assert {path.name for path in paths.unsettled.iterdir()} == {"a" * 64, "bridges"}
