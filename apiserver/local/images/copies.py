"""Copies into the image store that are under way, and what is done when one was cut.

A file in ROOT/copies stands for each; who finds one at a start knows that its copy was cut.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from apiserver.errors import EngineError
from apiserver.local.threads import InThread

log = Logger()


def left(marks: Path) -> set[str]:
    """Names of the marks of copies that are under way or were cut."""
    with suppress(FileNotFoundError):
        return set(os.listdir(marks))
    return set()


class Copies:
    """
    Args:
        marks: the directory of the files; it need not exist.
        clear: removes layers that nothing needs; called while nobody copies.
    """

    def __init__(self, marks: Path, clear: Callable[[], Awaitable[None]], in_thread: InThread) -> None:
        self._marks = marks
        self._clear = clear
        self._in_thread = in_thread
        self._under_way: set[str] = set()
        self._cut: set[str] = set()
        self._beginning = DeferredLock()

    @asynccontextmanager
    async def one(self, promised: bytes = b"") -> AsyncIterator[None]:
        """To be held by whoever has something written into the store, from before its first layer on.

        Where it ends badly, what is left is removed before this raises, or when the last of the others ends.

        Args:
            promised: what `after_death` is to hold it to, if we die before it ends.
        """
        mark = secrets.token_hex(8)
        await self._beginning.acquire()
        self._under_way.add(mark)
        self._beginning.release()
        try:
            await self._in_thread(lambda: self._write(mark, promised))
            yield
            await self._in_thread(lambda: self._erase(mark))
        except BaseException:
            self._cut.add(mark)
            raise
        finally:
            self._under_way.discard(mark)
            await self._clear_up()

    async def after_death(self, hold_to: Callable[[bytes], Awaitable[None]]) -> None:
        """Clear up what an earlier service was in the middle of.

        Args:
            hold_to: called with what each copy was promised to be; removes one that is not so.
        """
        cut = await self._in_thread(lambda: left(self._marks)) - self._under_way
        for mark in cut:
            try:
                if promised := await self._in_thread(lambda mark=mark: self._read(mark)):  # type: ignore[misc]  # a default binds
                    await hold_to(promised)
            except (EngineError, OSError, msgspec.DecodeError) as error:
                log.error("what a cut copy has left in the image store is not looked at: {error}", error=error)
        self._cut |= cut
        await self._clear_up()

    async def _clear_up(self) -> None:
        if self._under_way or not self._cut:
            return
        await self._beginning.acquire()
        try:
            # Somebody may have begun, or cleared up, while we waited.
            if not self._under_way and (cut := set(self._cut)):
                await self._clear()
                await self._in_thread(lambda: self._erase(*cut))
                self._cut -= cut
        except (EngineError, OSError, msgspec.DecodeError) as error:
            log.error("layers of a cut copy are left in the image store until the next start: {error}", error=error)
        finally:
            self._beginning.release()

    def _write(self, mark: str, promised: bytes) -> None:
        self._marks.mkdir(mode=0o700, exist_ok=True)
        (self._marks / mark).touch(mode=0o600)
        if promised:
            (self._marks / mark).write_bytes(promised)

    def _read(self, mark: str) -> bytes:
        return (self._marks / mark).read_bytes()

    def _erase(self, *marks: str) -> None:
        for mark in marks:
            (self._marks / mark).unlink(missing_ok=True)
