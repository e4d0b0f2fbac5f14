"""One time limit that moves often: a timer is not made anew for each request."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """Calls `expired` when the limit set last has passed.

    A limit that moves later keeps the timer of the earlier one, which looks again when it fires: a kept-alive
    connection moves its limit twice per request.
    """

    def __init__(self, clock: IReactorTime, expired: Callable[[], None]) -> None:
        self._clock = clock
        self._expired = expired
        self._at: float | None = None
        self._timer: IDelayedCall | None = None

    def set(self, seconds: float | None) -> None:
        """The limit is `seconds` from now; None means that there is none."""
        if seconds is None:
            self._at = None
            return
        self._at = self._clock.seconds() + seconds
        if self._timer is None:
            self._timer = self._clock.callLater(seconds, self._look)
        elif self._timer.getTime() > self._at:
            self._timer.reset(seconds)

    def stop(self) -> None:
        """No limit any more, and no timer left behind."""
        self._at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._at is None:
            return
        left = self._at - self._clock.seconds()
        if left > 0:
            self._timer = self._clock.callLater(left, self._look)
        else:
            self._at = None
            self._expired()
