"""The idle window: who holds it, and when it is over."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from apiserver.daemon.idle import IdleTracker


class Counted:
    def __init__(self, window: float = 10) -> None:
        self.clock = Clock()
        self.expired = 0
        self.tracker = IdleTracker(self.clock, window, self._expire)

    def _expire(self) -> None:
        self.expired += 1


def test_the_window_begins_when_we_serve() -> None:
    counted = Counted()
    counted.clock.advance(20)
    counted.tracker.start()
    counted.clock.advance(9.9)
    assert counted.expired == 0
    counted.clock.advance(0.2)
    assert counted.expired == 1


def test_a_fraction_of_a_second_is_a_window() -> None:
    counted = Counted(0.25)
    counted.tracker.start()
    counted.clock.advance(0.3)
    assert counted.expired == 1


def test_a_window_of_zero_is_for_ever() -> None:
    counted = Counted(0)
    counted.tracker.start()
    counted.clock.advance(1e9)
    assert counted.expired == 0


def test_an_open_connection_holds_the_window_and_its_end_begins_a_whole_new_one() -> None:
    counted, connection = Counted(), object()
    counted.tracker.start()
    counted.clock.advance(9)
    counted.tracker.opened(connection)
    counted.clock.advance(1000)
    counted.tracker.closed(connection)
    counted.clock.advance(9.9)
    assert counted.expired == 0
    counted.clock.advance(0.2)
    assert counted.expired == 1


def test_a_hijacked_connection_is_counted_as_such_and_holds_the_window_until_both_ends_are_done() -> None:
    counted, connection = Counted(), object()
    counted.tracker.start()
    counted.tracker.opened(connection)
    counted.tracker.became_hijacked(connection)
    assert (counted.tracker.total, counted.tracker.active, counted.tracker.hijacked) == (1, 1, 1)
    counted.clock.advance(1000)
    counted.tracker.closed(connection)
    assert (counted.tracker.total, counted.tracker.active, counted.tracker.hijacked) == (1, 0, 0)
    assert counted.expired == 0


def test_background_work_holds_the_window_also_when_it_fails() -> None:
    counted = Counted()
    counted.tracker.start()

    def fail_late() -> None:
        with counted.tracker.hold("a pull"):
            counted.clock.advance(1000)
            raise ArithmeticError(counted.tracker.background)

    with pytest.raises(ArithmeticError, match="1"):
        fail_late()
    assert (counted.tracker.background, counted.expired) == (0, 0)
    counted.clock.advance(10)
    assert counted.expired == 1


def test_the_window_waits_for_the_last_of_several() -> None:
    counted, one, two = Counted(), object(), object()
    counted.tracker.start()
    counted.tracker.opened(one)
    counted.tracker.opened(two)
    counted.tracker.closed(one)
    counted.clock.advance(1000)
    assert counted.expired == 0


def test_an_exit_that_was_called_off_is_tried_again_after_another_window() -> None:
    counted = Counted()
    counted.tracker.start()
    counted.clock.advance(10)
    counted.clock.advance(10)
    assert counted.expired == 2


def test_nothing_expires_after_the_tracker_was_stopped() -> None:
    counted = Counted()
    counted.tracker.start()
    counted.tracker.stop()
    counted.clock.advance(1000)
    assert (counted.expired, counted.clock.getDelayedCalls()) == (0, [])


def test_whoever_waits_for_the_last_connection_is_told_at_once_or_when_it_closes() -> None:
    counted, connection = Counted(), object()
    assert counted.tracker.no_connection().called
    counted.tracker.opened(connection)
    left, given_up = counted.tracker.no_connection(), counted.tracker.no_connection()
    given_up.addErrback(lambda _: None)
    given_up.cancel()
    assert not left.called
    counted.tracker.closed(connection)
    assert left.called


def test_whoever_waits_for_the_last_work_is_told_at_once_or_when_it_ends() -> None:
    counted = Counted()
    assert counted.tracker.no_work().called
    with counted.tracker.hold("some"):
        ended, given_up = counted.tracker.no_work(), counted.tracker.no_work()
        given_up.addErrback(lambda _: None)
        given_up.cancel()
        with counted.tracker.hold("more"):
            pass
        assert not ended.called
    assert ended.called


def test_each_change_of_a_count_is_told() -> None:
    counted, connection = Counted(), object()
    told: list[str] = []
    counted.tracker.changed = lambda: told.append(counted.tracker.counts())
    counted.tracker.opened(connection)
    counted.tracker.closed(connection)
    assert told[0].startswith("1 connections (0 hijacked)")
    assert told[-1].startswith("0 connections")
