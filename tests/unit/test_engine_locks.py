"""Locks: order of arrival, the limit, and what can be seen."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from apiserver.engine.locks import Locks, Rank
from apiserver.errors import LockTimeout


async def hold(locks: Locks, until: Deferred[None], order: list[str], name: str) -> None:
    async with locks.container("c", purpose=name):
        order.append(name)
        await until


def spawn(locks: Locks, until: Deferred[None], order: list[str], name: str) -> Deferred[None]:
    return Deferred.fromCoroutine(hold(locks, until, order, name))


def test_who_waits_first_gets_the_lock_first() -> None:
    locks, order = Locks(Clock()), list[str]()
    first: Deferred[None] = Deferred()
    spawn(locks, first, order, "one")
    spawn(locks, Deferred(), order, "two")
    spawn(locks, Deferred(), order, "three")
    assert order == ["one"]
    first.callback(None)
    assert order == ["one", "two"]


def test_a_lock_that_stays_taken_is_a_failure_that_says_by_what() -> None:
    clock = Clock()
    locks, order = Locks(clock, limit=5), list[str]()
    done: Deferred[None] = Deferred()
    spawn(locks, done, order, "stop")
    failures: list[Failure] = []
    spawn(locks, Deferred(), order, "start").addErrback(failures.append)
    clock.advance(5)
    assert failures[0].check(LockTimeout)
    assert "stop" in failures[0].getErrorMessage()
    done.callback(None)
    assert locks.held() == ()


def test_a_waiter_who_leaves_does_not_keep_the_next_one_waiting() -> None:
    clock = Clock()
    locks, order = Locks(clock), list[str]()
    done: Deferred[None] = Deferred()
    spawn(locks, done, order, "one")
    leaves = spawn(locks, Deferred(), order, "two")
    spawn(locks, Deferred(), order, "three")
    leaves.addErrback(lambda failure: failure.trap(CancelledError))
    leaves.cancel()
    done.callback(None)
    assert order == ["one", "three"]
    assert clock.getDelayedCalls() == []


def test_what_is_locked_can_be_seen() -> None:
    locks = Locks(Clock())
    spawn(locks, Deferred(), [], "start")
    spawn(locks, Deferred(), [], "remove")
    (held,) = locks.held()
    assert (held.rank, held.name, held.purpose, held.waiting) == (Rank.CONTAINER, "c", "start", 1)


def test_a_failure_inside_lets_go() -> None:
    locks = Locks(Clock())

    async def fail() -> None:
        async with locks.image("i"):
            raise ValueError

    failures: list[Failure] = []
    Deferred.fromCoroutine(fail()).addErrback(failures.append)
    assert failures[0].check(ValueError)
    assert locks.held() == ()


def test_it_is_quiet_once_the_last_lock_is_let_go() -> None:
    locks, until, order = Locks(Clock()), Deferred[None](), list[str]()
    spawn(locks, until, order, "first")
    spawn(locks, until, order, "second")
    quiet: list[bool] = []
    Deferred.fromCoroutine(locks.quiet(10)).addCallback(quiet.append)
    assert quiet == []
    until.callback(None)
    assert quiet == [True]


def test_waiting_for_quiet_has_a_limit() -> None:
    clock = Clock()
    locks, until = Locks(clock), Deferred[None]()
    spawn(locks, until, [], "stuck")
    quiet: list[bool] = []
    Deferred.fromCoroutine(locks.quiet(10)).addCallback(quiet.append)
    clock.advance(10)
    assert quiet == [False]
    until.callback(None)
