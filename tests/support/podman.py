"""The real podman CLI as a remote client of one service."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.docker import Said

CLIENT = shutil.which("podman") or "podman"


class Podman:
    """Call it with the arguments of `podman --remote`.

    Args:
        host: the URL of the service.
        home: an empty directory for it alone.
    """

    def __init__(self, host: str, home: Path) -> None:
        self._command = [CLIENT, "--remote", "--url", host]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CONTAINER", "XDG_"))},
            "HOME": str(home),
        }

    def __call__(self, *arguments: str, input: bytes | str | None = None, timeout: float = 60) -> Said:
        done = subprocess.run(
            [*self._command, *arguments],
            input=(input.encode() if isinstance(input, str) else input) or b"",
            capture_output=True,
            env=self._environment,
            timeout=timeout,
            check=False,
        )
        return Said(done.stdout.decode(), done.stderr.decode(), done.returncode)

    def ok(self, *arguments: str, input: bytes | str | None = None, timeout: float = 60) -> str:
        """Its stdout, without the white space around it.

        Raises:
            AssertionError: it failed; with what it said.
        """
        said = self(*arguments, input=input, timeout=timeout)
        assert said.code == 0, f"podman {' '.join(arguments)}: {said.code}\n{said.stderr}{said.stdout}"
        return said.stdout.strip()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """In the background, with pipes for its output; the caller ends it."""
        return subprocess.Popen(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
        )

    def on_terminal(self, *arguments: str, terminal: int) -> subprocess.Popen[bytes]:
        """In the background on a terminal, a descriptor that stays the caller's; the caller ends it."""
        return subprocess.Popen(
            [*self._command, *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=self._environment | {"TERM": "xterm"},
            start_new_session=True,
        )
