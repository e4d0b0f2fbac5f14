"""The signals that end the service: before it is built, and while its reactor runs; no Twisted here.

SIGHUP is one of them, since a session that is closed sends it. dockerd reads its configuration again at SIGHUP, and
podman's service dies of it; ours reads options and its file when it starts alone, and a start is quick.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

_NAMES = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heeded_signals() -> tuple[signal.Signals, ...]:
    """All but those that we inherited as ignored, as SIGINT by a shell's background job and SIGHUP by nohup(1).

    To be asked before anybody sets a handler.
    """
    return tuple(number for number in _NAMES if signal.getsignal(number) is not signal.SIG_IGN)


def exit_on(signals: tuple[signal.Signals, ...]) -> None:
    """Until the reactor runs there is nothing to undo: end with 1, also from the middle of an import."""

    def leave(number: int, frame: FrameType | None) -> None:
        try:
            os.write(2, f"apiserver: {signal.Signals(number).name} before it was ready\n".encode())
        finally:
            os._exit(1)  # also where the terminal is gone

    for number in signals:
        signal.signal(number, leave)


def heed(
    signals: tuple[signal.Signals, ...],
    call_from_thread: Callable[[Callable[[str], None], str], object],
    heard: Callable[[str], None],
) -> None:
    """Have `heard` called in the reactor, with the signal's name.

    This replaces Twisted's handlers, which remember the signal and make twistd end by raising it again.

    Args:
        call_from_thread: the reactor's; it wakes a reactor that sleeps.
    """

    def wake(number: int, frame: FrameType | None) -> None:
        call_from_thread(heard, signal.Signals(number).name)

    for number in signals:
        signal.signal(number, wake)
