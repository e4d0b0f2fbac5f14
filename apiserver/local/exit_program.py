"""Putting the programs that outlive us under the root, where they stay when this version of the service goes."""

from __future__ import annotations

import sys
from pathlib import Path

import apiserver
from apiserver.errors import HostError
from apiserver.local.paths import Paths, write_whole

LONGEST_SHEBANG = 127
"""What every kernel reads of the first line."""


def install_exit_program(paths: Paths, interpreter: Path | None = None, base: Path | None = None) -> None:
    """Write `exited`, `guard` and `interpreter` in ROOT/libexec, where they are not there in this form already.

    Args:
        interpreter: which has the service's packages; this process's own by default.
        base: what the exit program itself runs with: one outside of any virtual environment.

    Raises:
        HostError: the path of the base interpreter cannot stand in a first line.
        OSError
    """
    interpreter = interpreter or Path(sys.executable)
    base = base or Path(getattr(sys, "_base_executable", "") or sys.executable)
    # One argument is all that the kernel passes on: `-I -S` would arrive as one.
    first = f"#!{base} -IS\n"
    if len(first) > LONGEST_SHEBANG or any(c.isspace() for c in str(base)):
        raise HostError(f"the exit program cannot be run by {base}: its path is too long, or holds a space")
    sources = Path(apiserver.__file__).parent
    directory = paths.exit_program.parent
    directory.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    for program, source in ((paths.exit_program, "exited.py"), (paths.guard_program, "guard.py")):
        _write(program, first + (sources / source).read_text(), 0o700)
    _write(directory / "interpreter", f"{interpreter}\n", 0o600)


def _write(path: Path, text: str, mode: int) -> None:
    data = text.encode()
    if not path.is_file() or path.read_bytes() != data or path.stat().st_mode & 0o777 != mode:
        write_whole(path, data, mode)
