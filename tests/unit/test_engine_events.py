"""The log of events: nothing is missed, told twice, or kept in memory for a slow reader."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.engine.events import log
from apiserver.engine.events.log import EventLog
from apiserver.engine.events.match import matcher
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.ports.records import Change, Remembered
from apiserver.errors import InvalidParameter

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def event(second: float = 0, action: Action = Action.START, **attributes: str) -> Event:
    return Event(Kind.CONTAINER, action, "c1" * 32, NOON + timedelta(seconds=second), attributes)


class PagedRecords:
    """Records of events alone, in pages of two."""

    def __init__(self) -> None:
        self.rows: list[Event] = []
        self.pages = 0

    def remembered(self) -> Remembered:
        return Remembered()

    async def commit(self, *changes: Change) -> Sequence[Event]:
        told = [replace(c, serial=len(self.rows) + n) for n, c in enumerate(changes, 1) if isinstance(c, Event)]
        self.rows.extend(told)
        return told

    async def events(self, *, after: int, since: datetime | None, until: datetime | None) -> Sequence[Event]:
        self.pages += 1
        return [
            row
            for row in self.rows
            if row.serial > after and (not since or row.time >= since) and (not until or row.time <= until)
        ][:2]

    async def latest_serial(self) -> int:
        return len(self.rows)

    async def close(self) -> None: ...


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(NOON.timestamp())
    return clock


@pytest.fixture
def records() -> PagedRecords:
    return PagedRecords()


@pytest.fixture
def journal(records: PagedRecords, clock: Clock) -> EventLog:
    return EventLog(records, clock)


class Reader:
    """Reads a subscription as a client does, and says what came so far."""

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        self.serials: list[int] = []
        self.ended = False
        self.task = Deferred.fromCoroutine(self._read(events))

    async def _read(self, events: AsyncGenerator[Event, None]) -> None:
        async for told in events:
            self.serials.append(told.serial)
        self.ended = True


def commit(journal: EventLog, *events: Event) -> None:
    Deferred.fromCoroutine(journal.commit(*events))


def everything(_: Event) -> bool:
    return True


def test_a_subscriber_hears_what_is_committed_after_it_came_and_nothing_before(journal: EventLog) -> None:
    commit(journal, event())
    reader = Reader(journal.subscribe(everything, since=None, until=None))
    commit(journal, event(1), event(2))
    assert reader.serials == [2, 3]


def test_since_brings_the_past_once_although_events_come_meanwhile(journal: EventLog) -> None:
    for second in range(5):
        commit(journal, event(second))
    events = journal.subscribe(everything, since=NOON + timedelta(seconds=1), until=None)
    commit(journal, event(5))  # after the subscription, before its first read
    reader = Reader(events)
    commit(journal, event(6))
    assert reader.serials == [2, 3, 4, 5, 6, 7]


def test_until_in_the_past_ends_at_once(journal: EventLog, clock: Clock) -> None:
    for second in range(3):
        commit(journal, event(second - 10))
    reader = Reader(
        journal.subscribe(everything, since=NOON - timedelta(seconds=10), until=NOON - timedelta(seconds=9))
    )
    clock.advance(0)
    assert (reader.serials, reader.ended) == ([1, 2], True)


def test_until_in_the_future_ends_then(journal: EventLog, clock: Clock) -> None:
    reader = Reader(journal.subscribe(everything, since=None, until=NOON + timedelta(seconds=10)))
    commit(journal, event(1))
    clock.advance(9.9)
    assert not reader.ended
    clock.advance(0.1)
    assert (reader.serials, reader.ended) == ([1], True)


def test_a_reader_who_lags_gets_all_but_only_some_of_it_stays_in_memory(
    journal: EventLog, records: PagedRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAXIMUM_WAITING", 3)
    events = journal.subscribe(everything, since=None, until=None)
    for second in range(10):
        commit(journal, event(second))
    assert records.pages == 0
    reader = Reader(events)
    assert reader.serials == list(range(1, 11))
    assert records.pages > 0
    commit(journal, event(11))
    assert reader.serials[-1] == 11


def test_a_reader_who_leaves_is_forgotten_with_its_alarm(journal: EventLog, clock: Clock) -> None:
    reader = Reader(journal.subscribe(everything, since=None, until=NOON + timedelta(seconds=10)))
    reader.task.addErrback(lambda _: None)
    reader.task.cancel()
    assert journal.subscribers == 0
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"event": ["die"]}, True),
        ({"event": ["start"]}, False),
        ({"event": ["start", "die"]}, True),
        ({"type": ["container"], "event": ["die"]}, True),
        ({"type": ["image"]}, False),
        ({"container": ["web"]}, True),
        ({"container": ["/web"]}, True),
        ({"container": ["c1c1"]}, True),
        ({"container": ["other"]}, False),
        ({"image": ["foo"]}, True),
        ({"image": ["foo:latest"]}, True),
        ({"image": ["fo"]}, False),
        ({"label": ["a=b"]}, True),
        ({"label": ["a"]}, True),
        ({"label": ["a=b", "z"]}, False),
        ({"daemon": ["x"]}, False),
        ({"scope": ["local"]}, True),
    ],
)
def test_filters_are_and_between_keys_and_or_within_one(filters: dict[str, list[str]], wanted: bool) -> None:
    died = event(action=Action.DIED, name="web", image="foo:latest", a="b")
    assert matcher(filters, lambda _: "die")(died) is wanted


def test_an_event_with_a_detail_matches_its_bare_word_too() -> None:
    assert matcher({"event": ["health_status"]}, lambda _: "health_status: healthy")(event())


def test_an_unknown_filter_is_named() -> None:
    with pytest.raises(InvalidParameter, match="nonsense"):
        matcher({"nonsense": ["x"]}, lambda _: "die")


def test_an_image_is_found_by_the_whole_name_that_its_event_is_about() -> None:
    attributes = {"name": "sha256:" + "d" * 64, "reference": "docker.io/library/bb:t"}
    untagged = Event(Kind.IMAGE, Action.UNTAG, "d" * 64, NOON, attributes)

    def matches(wanted: str) -> bool:
        return matcher({"image": [wanted]}, lambda each: each.action.value)(untagged)

    assert matches("docker.io/library/bb:t")
    assert matches("docker.io/library/bb")
    assert not matches("docker.io/library/b")
