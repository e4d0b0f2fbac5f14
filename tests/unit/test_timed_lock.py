from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.deferreds import TimedLock
from apiserver.errors import LockTimeout
from tests.support.results import result_of


def test_holders_come_one_after_the_other_and_the_first_comes_first() -> None:
    lock, seen = TimedLock("image x", Clock()), []
    gates: list[Deferred[None]] = [Deferred(), Deferred()]

    async def hold(number: int) -> None:
        async with lock:
            seen.append(number)
            await gates[number]

    done = [Deferred.fromCoroutine(hold(number)) for number in (0, 1)]
    assert (seen, lock.waiting) == ([0], 1)
    gates[0].callback(None)
    assert (seen, lock.waiting) == ([0, 1], 0)
    gates[1].callback(None)
    assert all(one.called for one in done)


def test_a_wait_has_a_limit_and_the_one_who_gave_up_is_not_served_later() -> None:
    clock = Clock()
    lock = TimedLock("image x", clock, limit=5)
    gate: Deferred[None] = Deferred()

    async def hold() -> None:
        async with lock:
            await gate

    first, second = Deferred.fromCoroutine(hold()), Deferred.fromCoroutine(hold())
    clock.advance(5)
    with pytest.raises(LockTimeout, match="image x"):
        result_of(second)
    gate.callback(None)
    assert (first.called, lock.waiting) == (True, 0)


def test_a_failure_inside_lets_go() -> None:
    lock = TimedLock("image x", Clock())

    async def fail() -> None:
        async with lock:
            raise ValueError("inside")

    async def hold() -> str:
        async with lock:
            return "held"

    with pytest.raises(ValueError, match="inside"):
        result_of(fail())
    assert result_of(hold()) == "held"
