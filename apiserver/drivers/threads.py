"""Kernel calls that may take long, kept off the reactor's thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from apiserver.errors import HostError

P = ParamSpec("P")
T = TypeVar("T")

ANSWER = 30.0
"""Seconds for files of somebody else: disks that sleep have woken up by then."""


class Unanswered(HostError):
    """Who keeps these files (a server, a program) does not answer."""

    cause = "no answer from the file system"
    docker = libpod = "{cause}: {subject}"


class Threads:
    """The reactor's pool of threads, and others beside it for what may never come back."""

    def __init__(self, reactor: Any, answer: float = ANSWER) -> None:
        """
        Args:
            answer: seconds that `ask` waits.
        """
        self._reactor = reactor
        self._answer = answer

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it in a thread; its exception is raised here. Cancelling does not stop it.

        For unmounting (an overlay writes its upper file system back), moving a process between cgroups (the kernel
        waits 5 ms and more for all processors), removing trees. Never for what waits for a client or for a process to
        end.
        """
        result: T = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function, *args, **kwargs)
        return result

    async def ask(self, what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run`, for files that are not ours: whoever keeps them may not answer, for as long as he likes.

        In a thread of its own: those that are stuck take no place from others, and no end of the process waits for
        them.

        Args:
            what: is looked at, for the error.

        Raises:
            Unanswered: what came too late is dropped.
        """
        done: Deferred[T] = Deferred()

        def tell(result: T | Failure) -> None:
            if not done.called:
                done.callback(result)  # a Failure starts the errbacks

        def call() -> None:
            result: T | Failure
            try:
                result = function(*args, **kwargs)
            except BaseException:  # noqa: BLE001  # raised where it is awaited
                result = Failure()
            self._reactor.callFromThread(tell, result)

        Thread(target=call, name="files of others", daemon=True).start()
        try:
            return await done.addTimeout(self._answer, self._reactor)
        except TimeoutError:
            raise Unanswered(f"{what} (waited {self._answer:g} seconds)") from None
