"""The way of a new user: what `script/server` prints is copied, and a container says hello."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.docker import Docker

SCRIPT = Path(__file__).parents[2] / "script" / "server"


@pytest.fixture
def example() -> str:
    """The line that the script prints, as it prints it."""
    heredoc = SCRIPT.read_text().split("cat <<END\n")[1].split("\nEND\n")[0].splitlines()[1]
    return heredoc.replace("\\$", "$")


def test_the_printed_example_runs_a_first_container(docker: Docker, example: str) -> None:
    done = subprocess.run(
        ["bash", "-c", example], env=docker.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1][:11]) == (0, "hello from "), done.stderr
