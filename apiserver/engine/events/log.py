"""The log of events: committed with the change that they report, told to subscribers afterwards.

Events tell, they do not drive: nobody in the engine listens here to do its work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from apiserver.engine.events.model import Event
from apiserver.engine.ports.records import Change, Records

Match = Callable[[Event], bool]

MAXIMUM_WAITING = 1_000
"""Events kept in memory for a subscriber who does not read; further ones it reads from the records."""


class EventLog:
    """The one way by which the engine changes its state.

    Args:
        wall_clock: whose `seconds()` is the time of day, for `until`.
    """

    def __init__(self, records: Records, wall_clock: IReactorTime) -> None:
        self._records = records
        self._clock = wall_clock
        self._subscriptions: set[_Subscription] = set()

    @property
    def subscribers(self) -> int:
        return len(self._subscriptions)

    async def commit(self, *changes: Change) -> None:
        """Make changes durable, and then tell the events among them.

        Raises:
            HostError: nothing of it is on disk.
        """
        for event in await self._records.commit(*changes):
            for subscription in tuple(self._subscriptions):
                subscription.put(event)

    def subscribe(self, match: Match, *, since: datetime | None, until: datetime | None) -> AsyncGenerator[Event, None]:
        """Events from now on, or from `since`; ends at `until`, else never.

        What is committed after this call is not missed, however late the first one is asked for. A reader who
        is slow costs at most `MAXIMUM_WAITING` events of memory. Close the generator (or cancel the wait) to end it.
        """
        subscription = _Subscription()
        self._subscriptions.add(subscription)
        return self._told(subscription, match, since, until)

    async def _told(
        self, subscription: _Subscription, match: Match, since: datetime | None, until: datetime | None
    ) -> AsyncGenerator[Event, None]:
        alarm = None
        try:
            if until is not None:
                alarm = self._clock.callLater(max(0.0, until.timestamp() - self._clock.seconds()), subscription.finish)
            last = 0
            if since is not None:
                async with aclosing(self._past(0, since, until)) as past:
                    async for told in past:
                        last = told.serial
                        if match(told):
                            yield told
            while True:
                while (event := subscription.take()) is not None:
                    if event.serial <= last:
                        continue
                    last = event.serial
                    if until is not None and event.time > until:
                        return
                    if match(event):
                        yield event
                if subscription.overflowed:
                    subscription.overflowed = False
                    async with aclosing(self._past(last, None, until)) as missed:
                        async for told in missed:
                            last = told.serial
                            if match(told):
                                yield told
                elif subscription.finished:
                    return
                else:
                    await subscription.more()
        finally:
            self._subscriptions.discard(subscription)
            if alarm is not None and alarm.active():
                alarm.cancel()

    async def _past(self, after: int, since: datetime | None, until: datetime | None) -> AsyncGenerator[Event, None]:
        while page := await self._records.events(after=after, since=since, until=until):
            for event in page:
                yield event
            after = page[-1].serial


class _Subscription:
    """What one subscriber has not read yet."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._waker: Deferred[None] | None = None
        self.overflowed = False
        self.finished = False

    def put(self, event: Event) -> None:
        if self.overflowed or len(self._waiting) >= MAXIMUM_WAITING:
            self.overflowed = True  # it comes from the records, once the reader is there
        else:
            self._waiting.append(event)
        self._wake()

    def take(self) -> Event | None:
        return self._waiting.popleft() if self._waiting else None

    def finish(self) -> None:
        self.finished = True
        self._wake()

    async def more(self) -> None:
        self._waker = Deferred()
        await self._waker

    def _wake(self) -> None:
        waker, self._waker = self._waker, None
        if waker is not None and not waker.called:
            waker.callback(None)
