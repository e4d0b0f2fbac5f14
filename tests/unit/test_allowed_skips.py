"""A skip that the list does not name fails the run; an allowed one does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import read_allowed_skips

TESTS = """
import pytest

@pytest.mark.skip(reason="no such kernel")
def test_marked(): pass

def test_inside(): pytest.skip("no such program")

@pytest.mark.xfail(reason="broken")
def test_expected(): assert False

def test_good(): pass
"""


def run(folder: Path, allowed: str) -> tuple[int, str]:
    """pytest in a process of its own; (exit status, closing line)."""
    tests = Path(__file__).parents[1]
    shutil.copy(tests / "conftest.py", folder)
    (folder / "allowed").write_text(allowed)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--allowed-skips=allowed", "."]
    environment = {**os.environ, "PYTHONPATH": str(tests.parent)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.strip().splitlines()[-1]


def test_a_skip_counts_as_failed_unless_the_list_names_it(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    status, closing = run(tmp_path, "# comment\n*test_marked: *kernel* | this one may\n")
    assert status == 1
    assert "2 failed, 1 passed, 1 skipped" in closing


def test_a_run_passes_whose_skips_are_all_allowed(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    status, closing = run(tmp_path, "*test_marked* | a\n*no such program* | b\n*test_expected* | c\n")
    assert status == 0
    assert "1 passed, 2 skipped, 1 xfailed" in closing


def test_a_module_that_skips_itself_counts_too(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text('import pytest\npytest.importorskip("nowhere_to_be_found")\n')
    assert run(tmp_path, "")[0] != 0


def test_an_allowed_skip_without_a_reason_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match="without a reason"):
        read_allowed_skips("*test_marked*\n")


def test_no_skip_is_allowed_for_want_of_a_program_that_the_tests_install() -> None:
    text = (Path(__file__).parents[2] / ".ci" / "allowed-skips").read_text()
    programs = ("docker", "conmon", "crun", "runc", "netavark", "skopeo", "buildah")
    assert [pattern for pattern in read_allowed_skips(text) if any(program in pattern for program in programs)] == []
