"""Reading what a container has said."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

from apiserver.engine.containers.model import State
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.containers.registry import Registry
from apiserver.engine.ports.logs import LogRecord, LogSource
from apiserver.engine.ports.streams import Stream
from apiserver.errors import InvalidParameter


class LogsNotReadable(InvalidParameter):
    cause = "this container is not logging output"
    docker = "configured logging driver does not support reading"
    libpod = (
        "failed to obtain logs for Container '{subject}': "
        "this container is using the 'none' log driver, cannot read logs: {cause}"
    )


_BOTH = {Stream.STDOUT, Stream.STDERR}


class Logs:
    def __init__(self, registry: Registry, source: LogSource) -> None:
        self._registry = registry
        self._source = source

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
    ) -> AsyncGenerator[list[LogRecord], None]:
        """Records in order, some at once; a follower ends with the run, whole. Raises at once, not when first read.

        Close the generator in any case.

        Raises:
            NoSuchContainer
            LogsNotReadable: its log driver keeps nothing.
        """
        container = self._registry.get(name_or_id)
        if container.options.logging.driver is LogDriver.NONE:
            raise LogsNotReadable(container.name)
        wanted = {stream for stream, asked in ((Stream.STDOUT, stdout), (Stream.STDERR, stderr)) if asked}
        # A terminal has one stream.
        if container.options.process.terminal and wanted:
            wanted = _BOTH
        follow = follow and (container.alive or container.state is State.INITIALIZED)
        batches = self._source.read(container.id, tail=tail, since=since, until=until, follow=follow)
        return batches if len(wanted) == len(_BOTH) else _only(batches, wanted)


async def _only(
    batches: AsyncGenerator[list[LogRecord], None], wanted: set[Stream]
) -> AsyncGenerator[list[LogRecord], None]:
    try:
        async for records in batches:
            if chosen := [record for record in records if record.stream in wanted]:
                yield chosen
    finally:
        await batches.aclose()
