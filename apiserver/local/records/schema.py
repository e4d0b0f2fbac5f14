"""The tables of the state file, and the way from each older schema to today's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from apiserver.errors import HostError

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE container (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE exec (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE volume (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE exit_code (container_id TEXT PRIMARY KEY, exit_code INTEGER, removed_us INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE event (serial INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX event_time ON event (time_us);
    """,
)
"""Step n leads from version n to n + 1 (`PRAGMA user_version`); a step is never changed once it was released."""


class NewerSchema(HostError):
    """The state was written by a newer apiserver; it is left untouched."""

    cause = "state of a newer version"


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the file to today's schema, each step in its own transaction.

    Raises:
        NewerSchema: before anything was written.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise NewerSchema(
            f"{path} has schema {version}, and this apiserver knows up to {len(MIGRATIONS)}: "
            "use the newer apiserver, or another --root"
        )
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;{step};PRAGMA user_version = {number};COMMIT;")
