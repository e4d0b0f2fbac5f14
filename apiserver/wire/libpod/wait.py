"""How a container ended, as `wait` tells it."""

from __future__ import annotations

from typing import Final

from apiserver.wire.libpod.status import UNKNOWN_EXIT

TEXT: Final = "text/plain; charset=us-ascii"


def exit_text(code: int | None) -> bytes:
    """The code in decimal with a newline; -1 where it is unknown."""
    return b"%d\n" % (UNKNOWN_EXIT if code is None else code)
