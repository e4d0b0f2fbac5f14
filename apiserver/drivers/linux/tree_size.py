"""How much a directory holds that somebody else fills, while it is being filled."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 500
"""Levels; each takes two descriptors. No path of an image is so long, and what nests deeper only hides itself."""
_REMEMBERED = 100_000
"""Files with several names that are remembered; of each further one every name counts for its share."""


def tree_bytes(path: str | os.PathLike[str], given_up: Callable[[], bool] = lambda: False) -> int:
    """The sizes of all files below a directory, each once however many names it has. Blocks.

    Directories themselves count nothing, links count the length of what they say, holes count as they read
    (as Docker and containers/storage count). No link is followed. What vanishes meanwhile, or is more than 500
    levels deep, is left out. Takes the same memory for any number of files.

    Args:
        given_up: asked now and then; once it is true the answer is of no interest, and comes at once.

    Raises:
        OSError: something cannot be read.
    """
    count = _Count()
    try:
        levels = [_Level(os.open(path, _DIRECTORY))]
    except FileNotFoundError:
        return 0
    try:
        while levels and not given_up():
            below = levels[-1].step(count, given_up)
            if below is None:
                levels.pop().close()
            elif len(levels) < _DEEPEST:
                levels.append(_Level(below))
            else:
                os.close(below)
    finally:
        for level in levels:
            level.close()
    return count.size


class _Count:
    def __init__(self) -> None:
        self.size = 0
        self._left: dict[tuple[int, int], int] = {}

    def add(self, status: os.stat_result) -> None:
        if status.st_nlink < 2:
            self.size += status.st_size
            return
        file = (status.st_dev, status.st_ino)
        left = self._left.get(file)
        if left is not None:
            if left > 1:
                self._left[file] = left - 1
            else:
                del self._left[file]  # that was its last name
        elif len(self._left) < _REMEMBERED:
            self.size += status.st_size
            self._left[file] = status.st_nlink - 1
        else:
            self.size += status.st_size // status.st_nlink


class _Level:
    """One directory that is being counted; the descriptor is its own from here on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        try:
            self._entries = os.scandir(descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def close(self) -> None:
        self._entries.close()
        os.close(self._descriptor)

    def step(self, count: _Count, given_up: Callable[[], bool]) -> int | None:
        """Count up to the next directory in it, which is answered open; None at the end."""
        for number, entry in enumerate(self._entries):
            if number % 1000 == 999 and given_up():
                return None
            try:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    return os.open(entry.name, _DIRECTORY, dir_fd=self._descriptor)
            except (FileNotFoundError, NotADirectoryError):
                continue  # removed or replaced since it was listed
            except OSError as error:
                if error.errno == errno.ELOOP:
                    continue  # a link by now
                raise
            count.add(status)
        return None
