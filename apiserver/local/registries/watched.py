"""A program that speaks with a registry, ended when nothing moves any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from apiserver.drivers.process import Child, ProgramFailed
from apiserver.local.registries.copy_progress import bytes_moved, waits_for_a_lock
from apiserver.local.threads import InThread

T = TypeVar("T")

LOOK_INTERVAL = 0.2
"""Seconds between looks at a copy's progress."""

MURMUR = 16
"""Bytes between two looks that say nothing: Go's scheduler wakes itself by a byte in a pipe, once a second or so."""


class Silent(Exception):
    """Not a byte for as long as is allowed; the program was killed, and what it had said is the cause."""


class Watcher:
    """
    Args:
        silence_limit: seconds without a byte after which the program is killed.
    """

    def __init__(self, in_thread: InThread, reactor: Any, silence_limit: float) -> None:
        self._in_thread = in_thread
        self._reactor = reactor
        self._silence_limit = silence_limit

    async def run(
        self,
        work: Callable[[Callable[[Child], object]], Awaitable[T]],
        look: Callable[[], Any] = lambda: None,
        seen: Callable[[Any], object] = lambda _: None,
    ) -> T:
        """The result of `work`; its program has ended when this returns or raises.

        Args:
            work: starts one program, which it gives to its argument.
            look: called in a thread, several times in a second; `seen` gets its result, outside of the thread.

        Raises:
            Silent; ProgramFailed; what `look` and `seen` raise (the program is killed first).
        """
        children: list[Child] = []
        wrong: list[BaseException] = []

        def stop(failure: Failure) -> None:
            if not failure.check(CancelledError):
                assert failure.value is not None
                wrong.append(failure.value)
                for child in children:
                    child.kill()

        watching = Deferred.fromCoroutine(self._watch(children, look, seen))
        watching.addErrback(stop)
        try:
            return await work(children.append)
        except ProgramFailed as error:
            if wrong:
                raise wrong[0] from error
            raise
        finally:
            watching.cancel()
            for child in children:
                if child.code is None:  # we were cancelled: what it has open is removed next
                    child.kill()
                    await child.exited()

    async def _watch(self, children: list[Child], look: Callable[[], Any], seen: Callable[[Any], object]) -> None:
        def moved() -> int:
            """Grows while anything goes on; -1 where nothing is to be asked now."""
            try:
                return bytes_moved(children[0].pid) if children else -1
            except (FileNotFoundError, ProcessLookupError):
                return -1  # it ends at this moment

        previous, since = -1, self._reactor.seconds()
        while True:
            await deferLater(self._reactor, LOOK_INTERVAL)
            seen(await self._in_thread(look))
            latest, now = await self._in_thread(moved), self._reactor.seconds()
            if latest < 0 or latest - previous > MURMUR:
                since = now
            elif now - since >= self._silence_limit:
                pid = children[0].pid
                if not await self._in_thread(lambda pid=pid: waits_for_a_lock(pid)):  # type: ignore[misc]  # a default binds
                    raise Silent
            previous = latest
