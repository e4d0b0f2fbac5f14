"""Logs as conmon writes them, read while it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from apiserver.engine.containers.options import Logging
from apiserver.engine.ports.logs import LogRecord
from apiserver.engine.ports.streams import Stream
from tests.integration.local_rig import rig
from tests.support.local_runs import Rig, shell

__all__ = ["rig"]

ID = "e" * 64


async def collected(rig: Rig, **how: object) -> list[LogRecord]:
    return [record async for records in rig.logs.read(ID, **how) for record in records]  # type: ignore[arg-type]  # as the port says


@pytest_twisted.ensureDeferred
async def test_both_streams_in_order_with_their_times(rig: Rig) -> None:
    before = datetime.now(UTC)
    await rig.run(shell("echo one; sleep 0.1; echo two >&2; sleep 0.1; printf three"), container_id=ID)
    records = await collected(rig)
    assert [(r.stream, r.data, r.partial) for r in records] == [
        (Stream.STDOUT, b"one", False),
        (Stream.STDERR, b"two", False),
        (Stream.STDOUT, b"three", True),
    ]
    assert before - timedelta(seconds=1) < records[0].time < records[1].time
    assert records[0].time.microsecond == records[0].nanosecond // 1000


@pytest_twisted.ensureDeferred
async def test_long_lines_come_in_parts(rig: Rig) -> None:
    await rig.run(shell("head -c 20000 /dev/zero | tr '\\0' x; echo"), container_id=ID)
    records = await collected(rig)
    assert [r.partial for r in records][-1] is False
    assert len(records) > 1
    assert b"".join(r.data for r in records) == b"x" * 20000
    assert await collected(rig, tail=1) == records


@pytest_twisted.ensureDeferred
async def test_tail_since_and_until(rig: Rig) -> None:
    await rig.run(shell("for i in 1 2 3 4 5; do echo $i; done; sleep 0.2; echo 6"), container_id=ID)
    records = await collected(rig)
    assert [r.data for r in await collected(rig, tail=2)] == [b"5", b"6"]
    assert await collected(rig, tail=0) == []
    assert await collected(rig, tail=100) == records
    assert [r.data for r in await collected(rig, since=records[5].time)] == [b"6"]
    assert [r.data for r in await collected(rig, until=records[4].time)] == [b"1", b"2", b"3", b"4", b"5"]


@pytest_twisted.ensureDeferred
async def test_following_sees_all_and_ends_with_the_run(rig: Rig) -> None:
    made = await rig.create(shell("for i in $(seq 50); do echo $i; sleep 0.01; done"), container_id=ID)
    following = Deferred.fromCoroutine(collected(rig, follow=True))
    await rig.runs.start(made.plan)
    await rig.over(made)
    rig.logs.ended(ID)
    assert [int(record.data) for record in await following] == list(range(1, 51))


@pytest_twisted.ensureDeferred
async def test_following_goes_on_in_the_file_that_takes_the_place_of_a_full_one(rig: Rig) -> None:
    script = "for i in $(seq 400); do echo line $i; test $((i % 40)) = 0 && sleep 0.05; done"
    made = await rig.create(shell(script, logging=Logging(max_size_bytes=4096)), container_id=ID)
    log = rig.paths.container(ID).log
    following = Deferred.fromCoroutine(collected(rig, follow=True))
    await rig.runs.start(made.plan)
    first = log.stat().st_ino
    await rig.over(made)
    rig.logs.ended(ID)
    lines = [record.data for record in await following]
    assert log.stat().st_ino != first
    assert log.stat().st_size < 8192
    assert lines[-1] == b"line 400"
    assert len(lines) == len(set(lines))


@pytest_twisted.ensureDeferred
async def test_a_reader_of_a_huge_log_that_stops_costs_no_memory(rig: Rig, tmp_path: Path) -> None:
    rig.paths.container(ID).make()
    line = b"2026-11-23T16:35:59.663569439+00:00 stdout F " + b"x" * 1000 + b"\n"
    with rig.paths.container(ID).log.open("wb") as file:
        for _ in range(200):
            file.write(line * 1000)

    def memory_kb() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4

    before = memory_kb()
    reading = rig.logs.read(ID)
    assert len((await anext(reading))[0].data) == 1000
    await deferLater(reactor, 0.2)
    assert memory_kb() - before < 10_000
    assert len(await collected(rig, tail=1500)) == 1500
