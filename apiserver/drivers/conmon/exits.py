"""How containers and exec sessions ended, as conmon writes it down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct


class Exit(Struct, frozen=True):
    """code: 0 to 255, 128 + n for signal n, -1 when conmon's own time-out ended it."""

    code: int
    oom_killed: bool
    finished: datetime


def read_exit(exit_file: Path, persist_dir: Path | None = None) -> Exit | None:
    """What `EXIT_DIR/ID` says, or `PERSIST_DIR/exit` where that is missing; None while it has not ended.

    conmon has drained the output before it writes. Both files appear whole, by rename.
    """
    for file in (exit_file, *([persist_dir / "exit"] if persist_dir else [])):
        try:
            text = file.read_text().strip()
            finished = datetime.fromtimestamp(file.stat().st_mtime_ns / 1e9, UTC)
        except FileNotFoundError:
            continue
        if text.lstrip("-").isdigit():
            oom = persist_dir is not None and (persist_dir / "oom").exists()
            return Exit(int(text), oom, finished)
    return None
