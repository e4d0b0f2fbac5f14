"""systemd has nothing to say about the units, and they run what this package installs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.service import PROGRAM

UNITS = Path(__file__).parents[2] / "systemd"


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """The units as the README installs them from a checkout: with the path of its own program."""
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/apiserver", str(PROGRAM)))
    return sorted(tmp_path.iterdir())


def test_systemd_verifies_the_units_without_a_word(installed: list[Path]) -> None:
    assert [unit.name for unit in installed] == ["apiserver.service", "apiserver.socket"]
    done = subprocess.run(["systemd-analyze", "verify", *installed], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_service_takes_the_options_that_its_unit_gives(installed: list[Path]) -> None:
    (line,) = [line for line in installed[0].read_text().splitlines() if line.startswith("ExecStart=")]
    program, *options = line.removeprefix("ExecStart=").split()
    assert program == str(PROGRAM)
    done = subprocess.run([program, *options, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
