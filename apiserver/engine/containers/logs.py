"""Reading what a container has said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from apiserver.engine.ports.logs import LogRecord


class Logs:
    def read(
        self,
        name_or_id: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        since: datetime | None = None,
        until: datetime | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> AsyncIterator[LogRecord]:
        """Records in order; a follower ends with the run, whole. Raises at once, not at the first record.

        Raises:
            NoSuchContainer
            InvalidParameter: its log driver keeps nothing.
        """
        raise NotImplementedError
