"""One suite for recorded output in memory and in k8s-file logs."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred

from apiserver.engine.ports.logs import LogRecord, LogSource
from apiserver.engine.ports.streams import Stream
from apiserver.local.logs.service import LocalLogs
from apiserver.local.paths import Paths
from tests.fakes.logs import FakeLogs

reactor: Any = global_reactor
ID = "c" * 64
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
_NAMES = {Stream.STDOUT: "stdout", Stream.STDERR: "stderr"}


class Place:
    """A log, and how a monitor writes into it."""

    def __init__(self, source: LogSource, log: Path | None) -> None:
        self.source = source
        self._log = log

    def write(self, *records: LogRecord) -> None:
        if isinstance(self.source, FakeLogs):
            self.source.put(ID, *records)
            return
        assert self._log is not None
        with self._log.open("ab") as file:
            for r in records:
                time = f"{r.time:%Y-%m-%dT%H:%M:%S}.{r.nanosecond:09}+00:00"
                file.write(f"{time} {_NAMES[r.stream]} {'P' if r.partial else 'F'} ".encode() + r.data + b"\n")

    async def read(self, **options: Any) -> list[LogRecord]:
        return [record async for records in self.source.read(ID, **options) for record in records]


@pytest.fixture(params=["memory", "k8s-file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Place, None, None]:
    if request.param == "memory":
        yield Place(FakeLogs(reactor), None)
        return
    paths = Paths(tmp_path / "root", tmp_path / "run")
    paths.prepare()
    paths.container(ID).make()
    source = LocalLogs(reactor, paths)
    yield Place(source, paths.container(ID).log)
    source.close()


def said(second: int, data: bytes, stream: Stream = Stream.STDOUT, *, partial: bool = False) -> LogRecord:
    return LogRecord(NOON + timedelta(seconds=second), 0, stream, data, partial)


RECORDS = [said(0, b"one"), said(1, b"tw", partial=True), said(1, b"o"), said(2, b"three", Stream.STDERR)]


@pytest_twisted.ensureDeferred
async def test_records_come_in_order_and_as_they_were(place: Place) -> None:
    place.write(*RECORDS)
    assert await place.read() == RECORDS


@pytest_twisted.ensureDeferred
async def test_a_container_that_said_nothing_has_no_records(place: Place) -> None:
    assert await place.read() == []
    assert await place.read(tail=5) == []


@pytest_twisted.ensureDeferred
async def test_only_the_last_lines_where_asked(place: Place) -> None:
    place.write(*RECORDS)
    assert await place.read(tail=1) == RECORDS[-1:]
    assert await place.read(tail=0) == []


@pytest_twisted.ensureDeferred
async def test_both_ends_of_a_time_are_inclusive(place: Place) -> None:
    place.write(*RECORDS)
    second = NOON + timedelta(seconds=1)
    assert await place.read(since=second, until=second) == RECORDS[1:3]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("tail", [None, 2])
async def test_who_does_not_follow_gets_what_was_there_and_no_more(place: Place, tail: int | None) -> None:
    """Else one who reads slower than a container writes would never see the end."""
    place.write(said(0, b"one"), said(1, b"two"))
    batches = place.source.read(ID, tail=tail)
    read = await anext(batches)
    place.write(said(2, b"three"))
    read += [record async for records in batches for record in records]
    assert [record.data for record in read] == [b"one", b"two"]


@pytest_twisted.ensureDeferred
async def test_a_follower_has_what_comes_later_and_ends_with_the_run(place: Place) -> None:
    place.write(RECORDS[0])
    reading = Deferred.fromCoroutine(place.read(follow=True))
    place.write(RECORDS[3])
    place.source.ended(ID)
    assert await reading == [RECORDS[0], RECORDS[3]]


@pytest_twisted.ensureDeferred
async def test_a_reader_can_leave_in_the_middle(place: Place) -> None:
    place.write(*RECORDS)
    batches = place.source.read(ID, follow=True)
    assert (await anext(batches))[0] == RECORDS[0]
    await batches.aclose()
    place.source.ended(ID)


@pytest_twisted.ensureDeferred
async def test_a_follower_ends_by_itself_at_the_moment_until_which_it_follows(place: Place) -> None:
    place.write(*RECORDS)
    assert await place.read(follow=True, until=datetime.now(UTC) + timedelta(seconds=0.2)) == RECORDS
    assert await place.read(follow=True, until=NOON + timedelta(seconds=1)) == RECORDS[:3]


@pytest_twisted.ensureDeferred
async def test_nothing_is_never_said(place: Place) -> None:
    """Who reads can take the first and the last of what came at once."""
    place.write(*RECORDS)
    later = NOON + timedelta(seconds=9)
    assert [records async for records in place.source.read(ID, since=later)] == []
    assert all([records async for records in place.source.read(ID, until=NOON)])


@pytest_twisted.ensureDeferred
async def test_a_moment_that_is_far_off_is_no_limit(place: Place) -> None:
    reading = Deferred.fromCoroutine(place.read(follow=True, until=datetime(9999, 12, 31, tzinfo=UTC)))
    place.write(*RECORDS)
    place.source.ended(ID)
    assert await reading == RECORDS
