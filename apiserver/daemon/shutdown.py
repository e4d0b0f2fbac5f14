"""The one ordered way to an end: named steps, last registered first, each awaited before the next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

log = Logger()

Step = Callable[[], Awaitable[None] | None]

STEP_LIMIT = 10.0  # seconds for a step that says nothing else
CANCEL_LIMIT = 5.0  # seconds that a step may still take once it is cancelled
INHIBIT_LIMIT = 10.0  # seconds that a step waits for those who must not be torn down halfway


class _Registered(Struct):
    name: str
    step: Step
    limit: float


class Shutdown:
    """Ends the process once, whoever asks first, from the point of no return on.

    Attributes:
        served: whether the service was ready once; without it the exit status is 1.
        halt: whether it was told to stop, rather than idle; None while it has not begun.
    """

    def __init__(self, clock: IReactorTime, stop_reactor: Callable[[], None], *, idle_window: float) -> None:
        """
        Args:
            stop_reactor: fires the reactor's `before shutdown` triggers, of which `run` is one.
            idle_window: seconds; where it is 0 nothing ends because of idleness.
        """
        self._clock = clock
        self._stop_reactor = stop_reactor
        self._idle_window = idle_window
        self._steps: list[_Registered] = []
        self._inhibitors = 0
        self._uninhibited: list[Deferred[None]] = []
        self._ended: list[Deferred[None]] = []
        self._hurry: list[Deferred[None]] = []
        self._hurried = False
        self._begun = False
        self._failed = False
        self._finished = False
        self.served = False
        self.halt: bool | None = None

    def register(self, name: str, step: Step, limit: float = STEP_LIMIT) -> None:
        """Add a step, which runs before all that are there already.

        Args:
            limit: seconds; a step that takes longer is cancelled and counts as failed. One that goes on nevertheless
                is left alone soon after.

        Raises:
            ValueError: the name is taken.
        """
        if any(registered.name == name for registered in self._steps):
            raise ValueError(f"there is a shutdown step {name!r} already")
        self._steps.append(_Registered(name, step, limit))

    def inhibit(self) -> Inhibition:
        """A context (`with` or `async with`) during which no step begins: a state write, a network being set up."""
        return Inhibition(self._inhibited, self._released)

    def begin(self, *, halt: bool) -> bool:
        """Pass the point of no return; False if it had been passed, or if idleness ends nothing here."""
        if self.halt is not None or (not halt and self._idle_window == 0):
            return False
        self.halt = halt
        log.info("shutting down: {why}", why="told to stop" if halt else "idle")
        self._stop_reactor()
        return True

    def hurry(self) -> None:
        """Cut short what waits for clients: somebody asked a second time."""
        self._hurried = True
        waiters, self._hurry = self._hurry, []
        for waiter in waiters:
            waiter.callback(None)

    def hurried(self) -> Deferred[None]:
        """Fires when somebody asks a second time; can be cancelled."""
        waiter: Deferred[None] = Deferred(self._hurry.remove)
        if self._hurried:
            waiter.callback(None)
        else:
            self._hurry.append(waiter)
        return waiter

    def run(self) -> Deferred[None]:
        """Run the steps, for the reactor's `before shutdown` trigger; fires when all are done, whoever calls."""
        if self.halt is None:
            self.halt = True  # the reactor was stopped by somebody else
        waiter: Deferred[None] = Deferred()
        self._ended.append(waiter)
        if not self._begun:
            self._begun = True
            Deferred.fromCoroutine(self._run())
        elif self._finished:
            self._release()
        return waiter

    def close(self) -> Deferred[None]:
        """End at once, without waiting for any client and without the reactor; for tests."""
        self.hurry()
        return self.run()

    @property
    def exit_status(self) -> int:
        """0 only after it served and every step went well; a deadline that cut clients off is no failure."""
        return 0 if self.served and self._finished and not self._failed else 1

    async def _run(self) -> None:
        while self._steps:
            registered = self._steps.pop()
            await self._wait_for_inhibitors(registered.name)
            log.debug("shutdown step {name}", name=registered.name)
            try:
                ended: Deferred[Any] = Deferred()
                running = maybeDeferred(_awaiting, registered.step)
                running.addTimeout(registered.limit, self._clock).addBoth(ended.callback)
                await ended.addTimeout(registered.limit + CANCEL_LIMIT, self._clock)
            except Exception:  # noqa: BLE001 - whatever it is, the steps below it must run
                self._failed = True
                log.failure("shutdown step {name} failed", name=registered.name)
        self._finished = True
        self._release()

    def _release(self) -> None:
        waiters, self._ended = self._ended, []
        for waiter in waiters:
            waiter.callback(None)

    async def _wait_for_inhibitors(self, name: str) -> None:
        if not self._inhibitors:
            return
        waiter: Deferred[None] = Deferred(self._uninhibited.remove)
        self._uninhibited.append(waiter)
        try:
            await waiter.addTimeout(INHIBIT_LIMIT, self._clock)
        except TimeoutError:
            log.error("shutdown step {name} waited {limit} s and does not wait longer", name=name, limit=INHIBIT_LIMIT)

    def _inhibited(self) -> None:
        self._inhibitors += 1

    def _released(self) -> None:
        self._inhibitors -= 1
        if not self._inhibitors:
            waiters, self._uninhibited = self._uninhibited, []
            for waiter in waiters:
                waiter.callback(None)


def _awaiting(step: Step) -> Any:
    result = step()
    if result is None or isinstance(result, Deferred):
        return result
    return Deferred.fromCoroutine(_await(result))


async def _await(result: Awaitable[None]) -> None:
    await result


class Inhibition:
    """While it is entered, no shutdown step begins."""

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter = enter
        self._leave = leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave()

    async def __aenter__(self) -> None:
        self._enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._leave()
