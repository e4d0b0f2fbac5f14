"""Time limits hold, whatever happens to the time of day."""

from __future__ import annotations

import time

import pytest
from twisted.internet.selectreactor import SelectReactor

from apiserver.daemon.clocks import WallClock, keep_time


def test_a_time_limit_passes_though_the_time_of_day_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SelectReactor, "seconds", staticmethod(lambda: time.time()))  # as it is, but to be set
    reactor = SelectReactor()
    keep_time(reactor)
    fired: list[float] = []
    wall = WallClock(reactor)
    noon = time.time()
    wall.callLater(0.01, lambda: fired.append(wall.seconds()))
    monkeypatch.setattr(time, "time", lambda: noon - 3600)
    limit = time.monotonic() + 5
    while not fired and time.monotonic() < limit:
        reactor.runUntilCurrent()
    assert fired == [noon - 3600], "and the time of day is what it is now"
    reactor.disconnectAll()
