"""Results of Deferreds and coroutines which must be there by now."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

T = TypeVar("T")


def result_of(work: Deferred[T] | Coroutine[Any, Any, T]) -> T:
    """The result, or what was raised; fails at once if something still waits."""
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    got: list[T | Failure] = []
    deferred.addBoth(got.append)
    if not got:
        deferred.addErrback(lambda _: None)
        raise AssertionError("it still waits")
    first = got[0]
    if isinstance(first, Failure):
        first.raiseException()
        raise AssertionError("unreachable")
    return first


def at_once(work: Callable[[], T], /) -> Deferred[T]:
    """In place of a thread."""
    return maybeDeferred(work)
