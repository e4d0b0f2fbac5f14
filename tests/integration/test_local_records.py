"""The state file against a real disk: durability, order, migrations, the lock."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.logger import capturedLogs, formatEvent

from apiserver.engine.containers.model import Container, ExecSession, Run, State
from apiserver.engine.containers.options import ContainerOptions, Identity, Mounts, Process
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.ports.networks import Attachment, Lease, Network, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort, Transport
from apiserver.engine.ports.records import (
    DeleteContainer,
    DropExitCodes,
    PutContainer,
    PutExec,
    PutExitCode,
    PutSetting,
    PutVolume,
)
from apiserver.engine.volumes.model import Volume
from apiserver.local.records.lock import RootLock, RootTaken
from apiserver.local.records.schema import NewerSchema
from apiserver.local.records.sqlite import SqliteRecords
from apiserver.local.records.writer import StateUnwritable, Writer

NOON = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
BRIDGE = Network(
    "b" * 64, "apiserver", "bridge", NOON, "apiserver0", IPv4Network("10.89.0.0/16"), IPv4Address("10.89.0.1")
)
CONTAINER = Container(
    id="c" * 64,
    name="web",
    created=NOON,
    image_id="d" * 64,
    image_name="foo",
    options=ContainerOptions(
        identity=Identity(hostname="h", labels={"a": "b"}),
        process=Process(command=("a", "b"), stop_timeout=2.5, console_size=(24, 80)),
        mounts=Mounts(mounts=(Mount(MountKind.VOLUME, "/data", "v"),)),
    ),
    state=State.RUNNING,
    run=Run(
        number=3,
        plan={"netns": "/run/x", "cgroups": ["a"]},
        network=NetworkPlan(
            "c" * 64,
            "web",
            3,
            (Attachment(BRIDGE, Lease("apiserver", "c" * 64, 3, IPv4Address("10.89.0.2"), "92:00:00:00:00:01")),),
            (PublishedPort(80, Transport.TCP, "0.0.0.0", 8080),),
        ),
        started=NOON,
        pid=77,
    ),
)


def event(number: int, time: datetime = NOON) -> Event:
    return Event(Kind.CONTAINER, Action.START, f"{number:064x}", time, {"name": "web"})


def opened(path: Path, **limits: int) -> SqliteRecords:
    return SqliteRecords(path / "state.sqlite", reactor, **limits)  # type: ignore[arg-type]  # the reactor module


@pytest_twisted.ensureDeferred
async def test_what_was_committed_is_remembered_as_it_was(tmp_path: Path) -> None:
    volume = Volume("v", NOON, {"a": "b"}, mountpoint="/x")
    session = ExecSession("e" * 64, CONTAINER.id, 3, NOON, ("sh",), console_size=(1, 2))
    first = opened(tmp_path)
    await first.commit(
        PutContainer(CONTAINER), PutVolume(volume), PutExec(session), PutExitCode("f", None, NOON), PutSetting("s", [1])
    )
    await first.close()
    second = opened(tmp_path)
    remembered = second.remembered()
    await second.close()
    assert remembered.containers == (CONTAINER,)
    assert remembered.volumes == (volume,)
    assert remembered.execs == (session,)
    assert remembered.exit_codes == (PutExitCode("f", None, NOON),)
    assert remembered.settings == {"s": [1]}


@pytest_twisted.ensureDeferred
async def test_events_get_serials_in_the_order_of_commits_and_are_read_in_pages(tmp_path: Path) -> None:
    records = opened(tmp_path)
    commits = [Deferred.fromCoroutine(records.commit(event(n), event(n))) for n in range(600)]
    serials = [told.serial for pair in await gatherResults(commits) for told in pair]
    assert serials == list(range(1, 1201))
    page = await records.events(after=0, since=None, until=None)
    assert [told.serial for told in page] == list(range(1, 501))
    page = await records.events(after=1199, since=None, until=None)
    assert [told.subject for told in page] == [event(599).subject]
    assert await records.events(after=1200, since=None, until=None) == []
    assert await records.latest_serial() == 1200
    await records.close()


@pytest_twisted.ensureDeferred
async def test_times_bound_past_events_inclusively(tmp_path: Path) -> None:
    records = opened(tmp_path)
    await records.commit(*(event(n, NOON + timedelta(seconds=n)) for n in range(5)))
    between = await records.events(after=0, since=NOON + timedelta(seconds=1), until=NOON + timedelta(seconds=3))
    assert [told.serial for told in between] == [2, 3, 4]
    await records.close()


@pytest_twisted.ensureDeferred
async def test_old_and_supernumerary_events_are_trimmed(tmp_path: Path) -> None:
    records = opened(tmp_path, event_days=1, event_rows=3)
    await records.commit(event(0, NOON - timedelta(days=2)))
    await records.close()
    records = opened(tmp_path, event_days=1, event_rows=3)
    await records.commit(*(event(n) for n in range(5)))
    assert [told.serial for told in await records.events(after=0, since=None, until=None)] == [4, 5, 6]
    await records.close()


@pytest_twisted.ensureDeferred
async def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    records = opened(tmp_path)
    other = sqlite3.connect(tmp_path / "state.sqlite")
    other.executescript("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk is full'); END;")
    with pytest.raises(StateUnwritable, match="disk is full"):
        await records.commit(PutContainer(CONTAINER), event(1))
    other.executescript("DROP TRIGGER full")
    assert other.execute("SELECT count(*) FROM container").fetchone() == (0,)
    other.close()
    await records.commit(PutContainer(CONTAINER), event(1))
    await records.close()


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_written_takes_nothing_else_along_that_waited_with_it(tmp_path: Path) -> None:
    records = opened(tmp_path)
    other = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    other.executescript("CREATE TRIGGER bad BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'bad row'); END;")
    other.execute("BEGIN IMMEDIATE")  # who comes now waits for this, and so for each other
    changes = (PutSetting("first", 1), PutSetting("second", 2), event(1), PutSetting("last", 3))
    waiting = [Deferred.fromCoroutine(records.commit(change)) for change in changes]
    other.execute("ROLLBACK")
    other.close()
    outcomes = await DeferredList(waiting, consumeErrors=True)
    assert [well for well, _ in outcomes] == [True, True, False, True]
    await records.close()
    assert settings_in(tmp_path) == {"first": 1, "second": 2, "last": 3}


def settings_in(directory: Path) -> dict[str, Any]:
    connection = sqlite3.connect(directory / "state.sqlite")
    found = {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM setting")}
    connection.close()
    return found


@pytest_twisted.ensureDeferred
async def test_a_change_that_cannot_even_be_rolled_back_is_an_answer_and_the_next_one_works(tmp_path: Path) -> None:
    class Broken(sqlite3.Connection):
        refusing = 1

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "ROLLBACK" and self.refusing:
                self.refusing -= 1
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *values)

    def fails(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("no room")

    path = tmp_path / "state.sqlite"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Broken)
    writer = Writer(connection, reactor)  # type: ignore[arg-type]  # the reactor module
    with pytest.raises(StateUnwritable, match="no room") as refused:
        await writer.submit(fails)
    told = refused.value.docker.format(subject=refused.value.subject, cause=refused.value.cause)
    assert told == "state cannot be written below the root directory: no room"
    assert await writer.submit(lambda _: "written") == "written"
    await writer.close()


@pytest_twisted.ensureDeferred
async def test_deleted_containers_and_old_exit_codes_are_gone(tmp_path: Path) -> None:
    records = opened(tmp_path)
    await records.commit(
        PutContainer(CONTAINER), PutExitCode("old", 1, NOON), PutExitCode("new", 2, NOON + timedelta(minutes=5))
    )
    await records.commit(DeleteContainer(CONTAINER.id), DropExitCodes(NOON + timedelta(minutes=1)))
    await records.close()
    with pytest.raises(StateUnwritable):
        await records.commit(PutContainer(CONTAINER))
    records = opened(tmp_path)
    assert records.remembered().containers == ()
    assert [code.container_id for code in records.remembered().exit_codes] == ["new"]
    await records.close()


@pytest_twisted.ensureDeferred
async def test_the_state_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    records = opened(tmp_path)
    assert (tmp_path / "state.sqlite").stat().st_mode & 0o777 == 0o600
    await records.close()


@pytest_twisted.ensureDeferred
async def test_a_newer_schema_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    newer = sqlite3.connect(path)
    newer.executescript("CREATE TABLE future (x); PRAGMA user_version = 999;")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(NewerSchema, match="schema 999"):
        opened(tmp_path)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["state.sqlite"]


HOLDER = """
import sys, time
from pathlib import Path
from apiserver.local.records.lock import RootLock
import os, subprocess
lock = RootLock(Path(sys.argv[1]))
assert lock.try_acquire()
child = subprocess.Popen(["sleep", "60"], close_fds=False)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest_twisted.ensureDeferred
async def test_a_taken_root_names_its_holder_and_is_free_after_its_death_though_a_child_lives(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    lock = RootLock(tmp_path)
    try:
        with capturedLogs() as logged, pytest.raises(RootTaken, match=f"PID {holder.pid}: "):
            await lock.acquire(reactor, 0.2)
        assert [formatEvent(event) for event in logged] == [
            f"waiting for PID {holder.pid}, which uses {tmp_path}: 0.2 s at most"
        ]
        holder.kill()
        holder.wait()
        await lock.acquire(reactor, 0.2)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
        os.kill(child, 9)
        lock.release()
