"""Two clocks: time limits go by one that nobody sets, and what is written down by the time of day."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def keep_time(reactor: Any) -> None:
    """Have the reactor's timers go by the monotonic clock; before the first of them is set.

    Twisted's own go by the time of day: set back by an hour (a machine that wakes up, a first NTP answer), a stop
    time-out of 10 s takes an hour and 10 s.
    """
    reactor.seconds = time.monotonic


class WallClock:
    """The time of day, for whoever writes times down; its timers are the reactor's."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def seconds(self) -> float:
        return time.time()

    def callLater(self, delay: float, function: Callable[..., object], *args: object) -> Any:  # noqa: N802 - Twisted's
        return self._reactor.callLater(delay, function, *args)
