"""The one thread that writes the state file: whatever waits shares a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.errors import HostError
from apiserver.local.records.schema import migrate

log = Logger()

T = TypeVar("T")

MAXIMUM_BATCH = 256

Work = Callable[[sqlite3.Connection], Any]


class StateUnwritable(HostError):
    """The disk is full or broken, or the file is damaged."""

    cause = "state cannot be written"
    docker = "{cause} below the root directory: {subject}"


class StateUnusable(HostError):
    """The state file cannot even be opened: no room for what SQLite needs beside it, or it is damaged."""

    cause = "state cannot be opened"


def connect(path: Path) -> sqlite3.Connection:
    """Open the state file, mode 0600, in today's schema."""
    path.touch(mode=0o600, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        # The version is read before journal_mode writes: a newer file stays untouched.
        migrate(connection, str(path))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


class Writer:
    """Runs work on the connection, in order, in one thread.

    All work that waits when a transaction begins is part of it: one fsync serves many changes. If that fails, each
    has a transaction of its own: what one of them is to blame for is `StateUnwritable` to that one alone.
    """

    def __init__(self, connection: sqlite3.Connection, reactor: IReactorFromThreads) -> None:
        self._connection = connection
        self._reactor = reactor
        self._queue: SimpleQueue[tuple[Work, Deferred[Any]] | None] = SimpleQueue()
        self._closed: Deferred[None] = Deferred()
        self._closing = False
        self._thread = Thread(target=self._serve, name="state-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """Fires on the reactor's thread with the work's result, after it is on disk."""
        if self._closing:
            raise StateUnwritable("the service is leaving, and its state file is closed")
        done: Deferred[T] = Deferred()
        self._queue.put((work, done))
        return done

    async def close(self) -> None:
        """Do what waits, then close the file."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await self._closed
        self._thread.join()

    def _serve(self) -> None:
        open_ = True
        while open_:
            batch = []
            item = self._queue.get()
            while item is not None:
                batch.append(item)
                if self._queue.empty() or len(batch) == MAXIMUM_BATCH:
                    break
                item = self._queue.get()
            open_ = item is not None
            if batch:
                self._answer(self._transact(batch))
        self._connection.close()
        self._reactor.callFromThread(self._closed.callback, None)

    def _transact(self, batch: list[tuple[Work, Deferred[Any]]]) -> list[tuple[Deferred[Any], object]]:
        """Whatever happens, each has an answer: a thread that died here would leave everybody waiting."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")  # the last one could not
            self._connection.execute("BEGIN IMMEDIATE")
            results = [work(self._connection) for work, _ in batch]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  # each caller gets it
            self._roll_back()
            if len(batch) > 1:
                return [answer for each in batch for answer in self._transact([each])]
            return [(done, _failed(error)) for _, done in batch]
        return [(done, result) for (_, done), result in zip(batch, results, strict=True)]

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.error("a change of the state could not be rolled back: {error}", error=error)

    def _answer(self, answers: list[tuple[Deferred[Any], object]]) -> None:
        def fire() -> None:
            for done, result in answers:
                done.callback(result)  # a Failure starts the errbacks

        self._reactor.callFromThread(fire)


def _failed(error: Exception) -> Failure:
    if isinstance(error, sqlite3.Error):
        failed = StateUnwritable(str(error))
        failed.__cause__ = error
        return Failure(failed)
    return Failure(error)
