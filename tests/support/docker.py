"""The real docker CLI, pointed at one service, with no configuration of the user's."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The name for messages: a machine without it has to run script/test, which brings it.
CLIENT = shutil.which("docker") or "docker"


@dataclass(frozen=True)
class Said:
    """What a command wrote, and its exit status."""

    stdout: str
    stderr: str
    code: int


class Docker:
    """Call it with the arguments of `docker`.

    Args:
        host: as DOCKER_HOST has it.
        config: an empty directory for it alone.
    """

    def __init__(self, host: str, config: Path) -> None:
        self.host = host
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
            "DOCKER_HOST": host,
            "DOCKER_CONFIG": str(config),
            "DOCKER_CLI_HINTS": "false",
        }

    def __call__(self, *arguments: str, input: bytes | str | None = None, timeout: float = 60) -> Said:
        done = self.binary(*arguments, input=input, timeout=timeout)
        return Said(done.stdout.decode(), done.stderr.decode(), done.returncode)

    def ok(self, *arguments: str, input: bytes | str | None = None, timeout: float = 60) -> str:
        """Its stdout, without the white space around it.

        Raises:
            AssertionError: it failed; with what it said.
        """
        said = self(*arguments, input=input, timeout=timeout)
        assert said.code == 0, f"docker {' '.join(arguments)}: {said.code}\n{said.stderr}{said.stdout}"
        return said.stdout.strip()

    def binary(
        self, *arguments: str, input: bytes | str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """The same for output that is no text.

        Raises:
            subprocess.TimeoutExpired: it took longer than `timeout` seconds; it was killed.
        """
        return subprocess.run(
            [CLIENT, *arguments],
            input=(input.encode() if isinstance(input, str) else input) or b"",  # never the tests' own stdin
            capture_output=True,
            env=self.environment,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """In the background, with three pipes; the caller ends it."""
        return subprocess.Popen(
            [CLIENT, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
        )
