"""Who is cancelled while a thread works for him is so once that has ended."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from apiserver.deferreds import cancelled_after
from tests.support.results import result_of


def test_it_answers_what_the_work_answers_and_raises_what_it_raises() -> None:
    works: list[Deferred[int]] = [Deferred(), Deferred()]
    waiting = [Deferred.fromCoroutine(cancelled_after(work)) for work in works]
    works[0].callback(1)
    works[1].errback(ValueError("broken"))
    assert result_of(waiting[0]) == 1
    with pytest.raises(ValueError, match="broken"):
        result_of(waiting[1])


def test_work_that_has_ended_before_is_not_waited_for() -> None:
    work: Deferred[int] = Deferred()
    work.callback(1)
    assert result_of(Deferred.fromCoroutine(cancelled_after(work))) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_who_is_cancelled_is_so_after_the_end_and_the_work_never(fails: bool) -> None:
    work: Deferred[int] = Deferred()
    waiting = Deferred.fromCoroutine(cancelled_after(work))
    heard: list[object] = []
    waiting.addBoth(heard.append)
    for _ in range(2):
        waiting.cancel()
        assert (heard, work.called) == ([], False)
    if fails:
        work.errback(ValueError("broken"))
    else:
        work.callback(1)
    (failure,) = heard
    assert isinstance(failure, Failure)
    assert failure.check(CancelledError)
