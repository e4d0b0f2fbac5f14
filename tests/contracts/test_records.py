"""One suite for the records in memory and those on disk: a fake that drifts fails here."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred

from apiserver.engine.containers.model import Container, ExecSession, Run, State
from apiserver.engine.containers.options import ContainerOptions, Identity, Process
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.ports.records import (
    DeleteContainer,
    DeleteExec,
    DeleteVolume,
    DropExitCodes,
    PutContainer,
    PutExec,
    PutExitCode,
    PutSetting,
    PutVolume,
    Records,
)
from apiserver.engine.volumes.model import Volume
from apiserver.local.records.sqlite import SqliteRecords
from tests.fakes.records import MemoryRecords

reactor: Any = global_reactor
# Events of long ago are trimmed on disk, so these are of now.
NOW = datetime.now(UTC).replace(microsecond=123456)
CONTAINER = Container(
    "c" * 64,
    "web",
    NOW,
    "d" * 64,
    "busybox",
    ContainerOptions(process=Process(command=("a",)), identity=Identity(labels={"a": "b"})),
    State.RUNNING,
    Run(2, {"netns": "/run/x"}, started=NOW),
    remove_volumes=True,
)
SESSION = ExecSession("e" * 64, CONTAINER.id, 2, NOW, ("ls",), console_size=(24, 80))
VOLUME = Volume("db", NOW, {"a": "b"})


@pytest.fixture(params=["memory", "disk"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Records, None, None]:
    made: Records = MemoryRecords() if request.param == "memory" else SqliteRecords(tmp_path / "state.sqlite", reactor)
    yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.close()))


@pytest.fixture
def again(records: Records, tmp_path: Path) -> Generator[Any, None, None]:
    """What the next service would read."""
    opened: list[SqliteRecords] = []

    def remembered() -> Any:
        if isinstance(records, MemoryRecords):
            return records.remembered()
        opened.append(SqliteRecords(tmp_path / "state.sqlite", reactor))
        return opened[-1].remembered()

    yield remembered
    for each in opened:
        pytest_twisted.blockon(Deferred.fromCoroutine(each.close()))


def event(seconds: float, action: Action = Action.START) -> Event:
    return Event(Kind.CONTAINER, action, CONTAINER.id, NOW + timedelta(seconds=seconds), {"name": "web"})


@pytest_twisted.ensureDeferred
async def test_what_was_committed_is_remembered_as_it_was(records: Records, again: Any) -> None:
    code = PutExitCode("f" * 64, None, NOW)
    await records.commit(
        PutContainer(CONTAINER), PutExec(SESSION), PutVolume(VOLUME), code, PutSetting("boot_id", {"a": [1, None]})
    )
    found = again()
    assert found.containers == (CONTAINER,)
    assert found.execs == (SESSION,)
    assert found.volumes == (VOLUME,)
    assert found.exit_codes == (code,)
    assert found.settings == {"boot_id": {"a": [1, None]}}


@pytest_twisted.ensureDeferred
async def test_a_later_change_takes_the_place_of_an_earlier_one(records: Records, again: Any) -> None:
    await records.commit(PutContainer(CONTAINER), PutSetting("a", 1))
    await records.commit(PutContainer(replace(CONTAINER, name="other")), PutSetting("a", 2))
    found = again()
    assert [c.name for c in found.containers] == ["other"]
    assert found.settings == {"a": 2}


@pytest_twisted.ensureDeferred
async def test_what_is_deleted_is_gone_and_deleting_twice_is_no_error(records: Records, again: Any) -> None:
    await records.commit(PutContainer(CONTAINER), PutExec(SESSION), PutVolume(VOLUME))
    for _ in range(2):
        await records.commit(DeleteContainer(CONTAINER.id), DeleteExec(SESSION.id), DeleteVolume("db"))
    found = again()
    assert (found.containers, found.execs, found.volumes) == ((), (), ())


@pytest_twisted.ensureDeferred
async def test_old_exit_codes_are_dropped_and_younger_ones_stay(records: Records, again: Any) -> None:
    old, young = PutExitCode("a" * 64, 1, NOW), PutExitCode("b" * 64, 2, NOW + timedelta(seconds=2))
    await records.commit(old, young)
    await records.commit(DropExitCodes(NOW + timedelta(seconds=1)))
    assert again().exit_codes == (young,)


@pytest_twisted.ensureDeferred
async def test_events_come_back_with_serials_in_the_order_of_commits(records: Records) -> None:
    first = await records.commit(event(0, Action.CREATE), PutContainer(CONTAINER), event(1))
    second = await records.commit(event(2, Action.DIED))
    told = [*first, *second]
    assert [e.action for e in told] == [Action.CREATE, Action.START, Action.DIED]
    assert [e.serial for e in told] == sorted({e.serial for e in told})
    assert told[0].serial > 0
    assert await records.latest_serial() == told[-1].serial
    assert list(await records.events(after=0, since=None, until=None)) == told
    assert list(await records.events(after=told[0].serial, since=None, until=None)) == told[1:]


@pytest_twisted.ensureDeferred
async def test_both_ends_of_a_time_are_inclusive(records: Records) -> None:
    await records.commit(*(event(second) for second in range(4)))
    found = await records.events(after=0, since=NOW + timedelta(seconds=1), until=NOW + timedelta(seconds=2))
    assert [e.time for e in found] == [NOW + timedelta(seconds=second) for second in (1, 2)]


@pytest_twisted.ensureDeferred
async def test_without_events_there_is_no_serial(records: Records) -> None:
    assert await records.latest_serial() == 0
    assert list(await records.events(after=0, since=None, until=None)) == []
