"""What cannot be written is the host's doing, and is said with its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apiserver.errors import HostError


@contextmanager
def writing_below(directory: Path) -> Iterator[None]:
    """
    Args:
        directory: named where the error itself names no file, as that of a write does not.

    Raises:
        HostError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise  # no call of the system has failed
        place = error.filename if isinstance(error.filename, str) else directory
        raise HostError(f"{place}: {error.strerror}") from error
