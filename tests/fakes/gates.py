"""Where a test makes a back end fail, or lets the service die."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred

_LIMBO: list[Deferred[None]] = []
"""What dead services wait for: collected as garbage, their coroutines would go on to clean up."""


class Gates:
    """Every effect of the fakes passes here before and after it (`runs.create`, `runs.create done`).

    Attributes:
        failing: what is raised at a gate; the effect has, or has not, happened then.
        crash_at: the service is dead from the gate of this number on (the first is 1): nothing answers any more.
        passed: the gates in order.
        queue: where it is a list, everybody waits there until the test lets him go on: any order can be tried.
    """

    def __init__(self) -> None:
        self.failing: dict[str, Exception] = {}
        self.held: dict[str, Deferred[None]] = {}
        self.crash_at = 0
        self.passed: list[str] = []
        self.queue: list[Deferred[None]] | None = None

    @property
    def crashed(self) -> bool:
        return 0 < self.crash_at <= len(self.passed)

    async def pass_by(self, name: str) -> None:
        self.passed.append(name)
        if self.crashed:
            dead: Deferred[None] = Deferred()
            _LIMBO.append(dead)
            await dead
        if self.queue is not None:
            turn: Deferred[None] = Deferred(self.queue.remove)
            self.queue.append(turn)
            await turn
        if (held := self.held.get(name)) is not None:
            waiter: Deferred[None] = Deferred()
            _LIMBO.append(waiter)
            held.addCallback(lambda _: waiter.callback(None))
            await waiter
        if (failure := self.failing.get(name)) is not None:
            raise failure

    def hold(self, name: str) -> Deferred[None]:
        """Keep whoever comes to a gate there until the answer is fired."""
        self.held[name] = Deferred()
        return self.held[name]

    def revive(self) -> None:
        """The next service starts: nothing fails, nobody is held."""
        self.failing, self.held, self.crash_at, self.passed = {}, {}, 0, []

    def fail(self, failures: Mapping[str, Exception]) -> None:
        self.failing.update(failures)
