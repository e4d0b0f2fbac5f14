"""Room in which conmon says how a process ended, where the file system may be full by then.

conmon makes each of its two files anew and renames it, so nothing can be kept for them under their names. But right
before it does, it closes all that it was handed at its start (conmon.c, close_other_fds): a file without a name that
nobody else has open gives back its blocks and its inode at that moment, and whoever fills the file system has no time
to take them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from resource import getpagesize

from apiserver.errors import HostError

_FILES = 2
"""`EXIT_DIR/ID` and `PERSIST_DIR/exit`: less than a block each."""


@contextmanager
def room(directory: Path) -> Iterator[Sequence[int]]:
    """Descriptors for conmon to keep, closed at the end of the context.

    Args:
        directory: on the file system that its files will be on; nothing is seen in it.

    Raises:
        HostError: there is none now.
    """
    with ExitStack() as opened:
        try:
            kept = [_unnamed(directory / f".room{number}", opened) for number in range(_FILES)]
        except OSError as error:
            raise HostError(f"{directory}: {error.strerror}") from error
        yield kept


def _unnamed(path: Path, opened: ExitStack) -> int:
    # O_TMPFILE is not there on every file system.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    opened.callback(os.close, descriptor)
    os.unlink(path)
    os.posix_fallocate(descriptor, 0, getpagesize())
    return descriptor
