"""What binds take from the host. It may lie with somebody who does not answer, such as a file server that is down."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from apiserver.drivers.threads import Threads
from apiserver.engine.containers.options.mounts import MountKind, Mounts
from apiserver.errors import InvalidParameter

P = ParamSpec("P")
T = TypeVar("T")


class NoSuchSource(InvalidParameter):
    """The directory or file to bind; clients of both flavours match the words."""

    docker = 'invalid mount config for type "bind": bind source path does not exist: {subject}'
    libpod = "statfs {subject}: no such file or directory"


async def touching(threads: Threads, options: Mounts, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call what looks at the sources of binds, too: where there are any it may take for ever, and nobody else waits.

    Raises:
        HostError: nothing came of it in time.
    """
    sources = [mount.source for mount in options.mounts if mount.kind is MountKind.BIND]
    if not sources:
        return function(*args, **kwargs)
    return await threads.ask(", ".join(sources), function, *args, **kwargs)


def check_sources(options: Mounts) -> None:
    """Refuse a bind of what is not there, unless its source is to be made. May block for ever.

    Raises:
        NoSuchSource
    """
    for mount in options.mounts:
        if mount.kind is MountKind.BIND and not mount.create_source and not os.path.lexists(mount.source):
            raise NoSuchSource(mount.source)


def make_sources(options: Mounts) -> None:
    """Make the missing sources of binds that ask for it, as directories of root. May block for ever.

    Raises:
        InvalidParameter: one that is not to be made is missing, or one cannot be made.
    """
    check_sources(options)
    for mount in options.mounts:
        if mount.kind is MountKind.BIND and mount.create_source and not os.path.exists(mount.source):
            try:
                os.makedirs(mount.source, 0o755, exist_ok=True)
            except OSError as error:
                raise InvalidParameter(
                    f"error while creating mount source path '{mount.source}': {error.strerror}"
                ) from error
