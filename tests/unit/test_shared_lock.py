from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from apiserver.deferreds import SharedLock
from apiserver.errors import LockTimeout
from tests.support.results import result_of


class Holders:
    """Who holds a lock now, by name; each until its gate is opened."""

    def __init__(self, at_once: int = 8, limit: float = 60) -> None:
        self.clock = Clock()
        self.lock = SharedLock("the bridge", self.clock, limit, at_once)
        self.inside: list[str] = []
        self.gates: dict[str, Deferred[None]] = {}

    def come(self, name: str, *, alone: bool = False) -> Deferred[None]:
        return Deferred.fromCoroutine(self._hold(name, alone))

    async def _hold(self, name: str, alone: bool) -> None:
        gate = self.gates[name] = Deferred()
        async with self.lock.alone() if alone else self.lock.shared():
            self.inside.append(name)
            try:
                await gate
            finally:
                self.inside.remove(name)

    def leave(self, name: str) -> None:
        self.gates[name].callback(None)


def test_several_share_it_and_one_alone_waits_for_all_of_them() -> None:
    holders = Holders()
    holders.come("a")
    holders.come("b")
    holders.come("only", alone=True)
    assert holders.inside == ["a", "b"]
    holders.leave("a")
    assert holders.inside == ["b"]
    holders.leave("b")
    assert holders.inside == ["only"]


def test_who_comes_after_one_alone_waits_for_it_so_that_it_is_not_kept_waiting_for_ever() -> None:
    holders = Holders()
    holders.come("a")
    holders.come("only", alone=True)
    holders.come("b")
    holders.come("c")
    assert holders.inside == ["a"]
    holders.leave("a")
    assert holders.inside == ["only"]
    holders.leave("only")
    assert holders.inside == ["b", "c"]


def test_no_more_than_so_many_share_it() -> None:
    holders = Holders(at_once=2)
    for name in "abc":
        holders.come(name)
    assert holders.inside == ["a", "b"]
    holders.leave("b")
    assert holders.inside == ["a", "c"]


def test_a_wait_has_a_limit_and_who_stood_behind_goes_on() -> None:
    holders = Holders(limit=5)
    holders.come("a")
    only = holders.come("only", alone=True)
    holders.clock.advance(3)
    holders.come("b")
    holders.clock.advance(2)
    with pytest.raises(LockTimeout, match="the bridge"):
        result_of(only)
    assert holders.inside == ["a", "b"]


def test_who_is_cancelled_while_waiting_lets_those_behind_go_on_and_while_inside_lets_go() -> None:
    holders = Holders()
    first = holders.come("a")
    only = holders.come("only", alone=True)
    holders.come("b")
    only.cancel()
    with pytest.raises(CancelledError):
        result_of(only)
    assert holders.inside == ["a", "b"]
    first.cancel()
    with pytest.raises(CancelledError):
        result_of(first)
    holders.leave("b")
    holders.come("last", alone=True)
    assert holders.inside == ["last"]
