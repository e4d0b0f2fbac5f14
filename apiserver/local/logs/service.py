"""The port `LogSource` on this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apiserver.drivers.threads import Threads
from apiserver.engine.ports.logs import LogRecord
from apiserver.local.logs.followers import Follower, Followers
from apiserver.local.logs.k8s_file import read_block, tail_offset
from apiserver.local.paths import Paths

_FAR_OFF = 20 * 24 * 3600.0
"""Seconds: the kernel waits for no more than 24 days at once, and nobody follows for as long."""


class LocalLogs:
    """Reads logs block by block, in threads."""

    def __init__(self, reactor: Any, paths: Paths) -> None:
        self._paths = paths
        self._reactor = reactor
        self._threads = Threads(reactor)
        self._followers = Followers(reactor)

    def read(
        self,
        container_id: str,
        *,
        tail: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        follow: bool = False,
    ) -> AsyncGenerator[list[LogRecord], None]:
        log = self._paths.container(container_id).log
        # Here and not when the reading begins: an end that is told in between must not be missed.
        follower = self._followers.add(log.parent) if follow and log.parent.exists() else None
        return self._read(log, follower, tail, since, until)

    def ended(self, container_id: str) -> None:
        self._followers.end(self._paths.container(container_id).log.parent)

    def close(self) -> None:
        self._followers.close()

    async def _read(
        self, log: Path, follower: Follower | None, tail: int | None, since: datetime | None, until: datetime | None
    ) -> AsyncGenerator[list[LogRecord], None]:
        timer = self._end_at(until, follower) if until is not None and follower is not None else None
        try:
            async for records in self._records(log, follower, tail):
                over = until is not None and any(record.time > until for record in records)
                if since is not None or over:
                    records = list(_between(records, since, until))
                if records:
                    yield records
                if over:
                    return
        finally:
            if timer is not None and timer.active():
                timer.cancel()
            if follower is not None:
                self._followers.remove(log.parent, follower)

    def _end_at(self, until: datetime, follower: Follower) -> Any:
        seconds = (until - datetime.now(UTC)).total_seconds()
        return self._reactor.callLater(max(0.0, seconds), follower.end) if seconds < _FAR_OFF else None

    async def _records(
        self, log: Path, follower: Follower | None, tail: int | None
    ) -> AsyncGenerator[list[LogRecord], None]:
        while (descriptor := _open(log)) is None:
            if follower is None or follower.ended:
                return
            await follower.wait()
        try:
            size = os.fstat(descriptor).st_size
            offset = 0 if tail is None else await self._threads.run(tail_offset, descriptor, tail, size)
            # Who does not follow gets what was there when he asked: a container may write faster than he reads.
            limit = size if follower is None else None
            while True:
                over = follower is None or follower.ended
                records, after = await self._threads.run(read_block, descriptor, offset, limit)
                if records:
                    yield records
                if after > offset:
                    offset = after
                    continue
                successor = _successor(descriptor, log) if follower is not None else None
                if successor is not None:
                    # conmon began anew under the same name. What it wrote last into the old file comes first.
                    records, _ = await self._threads.run(read_block, descriptor, offset)
                    if records:
                        yield records
                    os.close(descriptor)
                    descriptor, offset = successor, 0
                    continue
                if over:
                    return
                assert follower is not None
                await follower.wait()
        finally:
            os.close(descriptor)


def _between(records: list[LogRecord], since: datetime | None, until: datetime | None) -> Iterator[LogRecord]:
    """Those from `since` on, up to the first one after `until`."""
    for record in records:
        if until is not None and record.time > until:
            return
        if since is None or record.time >= since:
            yield record


def _open(log: Path) -> int | None:
    try:
        return os.open(log, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None


def _successor(descriptor: int, log: Path) -> int | None:
    """The file that took the log's name since `descriptor` was opened; None while it is the same."""
    successor = _open(log)
    if successor is None or os.path.sameopenfile(successor, descriptor):
        if successor is not None:
            os.close(successor)
        return None
    return successor
