"""Records in SQLite: each change as the statement that makes it durable."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from twisted.internet.interfaces import IReactorFromThreads

from apiserver.engine.containers.model import Container, ExecSession
from apiserver.engine.events.model import Event
from apiserver.engine.ports.records import (
    Change,
    DeleteContainer,
    DeleteExec,
    DeleteVolume,
    DropExitCodes,
    PutContainer,
    PutExec,
    PutExitCode,
    PutSetting,
    PutVolume,
    Remembered,
)
from apiserver.engine.volumes.model import Volume
from apiserver.jsonvalue import JsonValue
from apiserver.local.records.codec import Decoder, encoded
from apiserver.local.records.reserve import gives_back, is_full, reserve
from apiserver.local.records.writer import StateUnusable, StateUnwritable, Writer, connect

PAGE = 500
TRIM_EVERY = 1_000
"""Events between two looks at the age and number of rows."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_container = Decoder(Container)
_exec = Decoder(ExecSession)
_volume = Decoder(Volume)
_event = Decoder(Event)
_setting = Decoder(Any)

Statement = tuple[str, tuple[str | bytes | int | None, ...]]


class SqliteRecords:
    """The port `Records`.

    Args:
        path: of the state file; the caller holds the root's lock.
        event_days: events older than this go.
        event_rows: only the newest so many stay.

    Raises:
        NewerSchema: the file is untouched then.
        StateUnusable: says whether the disk is full.
    """

    def __init__(
        self, path: Path, reactor: IReactorFromThreads, *, event_days: int = 30, event_rows: int = 100_000
    ) -> None:
        self._directory = path.parent
        try:
            self._connection = connect(path)
            self._remembered = _read(self._connection)
        except sqlite3.Error as error:
            # After an orderly end its log is gone, and SQLite needs a little room to open it again.
            advice = "; its disk is full: make a megabyte of room and start again" if is_full(path.parent) else ""
            raise StateUnusable(f"{path} ({error}{advice})") from error
        reserve(path)
        self._event_days = event_days
        self._event_rows = event_rows
        self._until_trim = 0  # the first event of a daemon looks too
        self._writer = Writer(self._connection, reactor)

    def remembered(self) -> Remembered:
        return self._remembered

    async def commit(self, *changes: Change) -> Sequence[Event]:
        steps = [_event_row(change) if isinstance(change, Event) else _statement(change) for change in changes]
        events = [change for change in changes if isinstance(change, Event)]
        giving = all(map(gives_back, changes))
        serials = await self._writer.submit(self._work(steps, events, giving))
        return [replace(event, serial=serial) for event, serial in zip(events, serials, strict=True)]

    async def events(self, *, after: int, since: datetime | None, until: datetime | None) -> Sequence[Event]:
        bounds = (
            after,
            _microseconds(since) if since else 0,
            _microseconds(until) if until else 1 << 62,
            PAGE,
        )

        def work(connection: sqlite3.Connection) -> list[Event]:
            rows = connection.execute(
                "SELECT serial, body FROM event WHERE serial > ? AND time_us >= ? AND time_us <= ?"
                " ORDER BY serial LIMIT ?",
                bounds,
            )
            return [replace(_event(body), serial=serial) for serial, body in rows]

        return await self._writer.submit(work)

    async def latest_serial(self) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return int(connection.execute("SELECT coalesce(max(serial), 0) FROM event").fetchone()[0])

        return await self._writer.submit(work)

    async def close(self) -> None:
        await self._writer.close()

    def _work(
        self, steps: Sequence[Statement], events: Sequence[Event], giving: bool
    ) -> Callable[[sqlite3.Connection], list[int]]:
        def work(connection: sqlite3.Connection) -> list[int]:
            if not giving and is_full(self._directory):
                raise StateUnwritable("database or disk is full")
            serials = []
            for sql, values in steps:
                cursor = connection.execute(sql, values)
                if sql is _INSERT_EVENT:
                    assert cursor.lastrowid is not None
                    serials.append(cursor.lastrowid)
            if events:
                self._trim(connection, len(events), events[-1].time)
            return serials

        return work

    def _trim(self, connection: sqlite3.Connection, added: int, now: datetime) -> None:
        self._until_trim -= added
        if self._until_trim > 0:
            return
        self._until_trim = TRIM_EVERY
        oldest = _microseconds(now - timedelta(days=self._event_days))
        connection.execute("DELETE FROM event WHERE time_us < ?", (oldest,))
        connection.execute(
            "DELETE FROM event WHERE serial <= (SELECT max(serial) FROM event) - ?",
            (self._event_rows,),
        )


_INSERT_EVENT = "INSERT INTO event (time_us, body) VALUES (?, ?)"


def _event_row(event: Event) -> Statement:
    return _INSERT_EVENT, (_microseconds(event.time), encoded(event))


def _statement(change: Change) -> Statement:
    match change:
        case PutContainer(container):
            return "INSERT OR REPLACE INTO container VALUES (?, ?)", (container.id, encoded(container))
        case DeleteContainer(container_id):
            return "DELETE FROM container WHERE id = ?", (container_id,)
        case PutExec(session):
            return "INSERT OR REPLACE INTO exec VALUES (?, ?)", (session.id, encoded(session))
        case DeleteExec(exec_id):
            return "DELETE FROM exec WHERE id = ?", (exec_id,)
        case PutVolume(volume):
            return "INSERT OR REPLACE INTO volume VALUES (?, ?)", (volume.name, encoded(volume))
        case DeleteVolume(name):
            return "DELETE FROM volume WHERE name = ?", (name,)
        case PutExitCode(container_id, exit_code, removed):
            return "INSERT OR REPLACE INTO exit_code VALUES (?, ?, ?)", (
                container_id,
                exit_code,
                _microseconds(removed),
            )
        case DropExitCodes(before):
            return "DELETE FROM exit_code WHERE removed_us < ?", (_microseconds(before),)
        case PutSetting(name, value):
            return "INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, encoded(value))
    raise TypeError(f"{type(change).__name__} is no change")


def _read(connection: sqlite3.Connection) -> Remembered:
    def bodies(table: str) -> list[bytes]:
        return [body for (body,) in connection.execute(f"SELECT body FROM {table}")]  # noqa: S608  # our own names

    settings: dict[str, JsonValue] = {
        name: _setting(value) for name, value in connection.execute("SELECT name, value FROM setting")
    }
    codes = connection.execute("SELECT container_id, exit_code, removed_us FROM exit_code")
    return Remembered(
        containers=tuple(_container(body) for body in bodies("container")),
        execs=tuple(_exec(body) for body in bodies("exec")),
        volumes=tuple(_volume(body) for body in bodies("volume")),
        exit_codes=tuple(PutExitCode(id_, code, _EPOCH + timedelta(microseconds=us)) for id_, code, us in codes),
        settings=settings,
    )


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
