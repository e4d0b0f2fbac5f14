"""Who follows which log: woken when something was written, when the file was replaced, and at the end."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred

from apiserver.drivers.linux.inotify import AppearingFiles
from apiserver.drivers.linux.readiness import Reactor


class Follower:
    """One reader's place among those that are woken.

    Attributes:
        ended: nothing more will be written.
    """

    def __init__(self) -> None:
        self.ended = False
        self._news = False
        self._waiter: Deferred[None] | None = None

    def wake(self) -> None:
        self._news = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    def end(self) -> None:
        self.ended = True
        self.wake()

    async def wait(self) -> None:
        """Until something has happened since the last call: also what happened before this one."""
        if not self._news:
            self._waiter = Deferred()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._news = False


class Followers:
    """All followers, with one inotify descriptor between them."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._files: AppearingFiles | None = None
        self._by_directory: dict[Path, list[Follower]] = {}

    def add(self, directory: Path) -> Follower:
        """
        Raises:
            FileNotFoundError: there is no such directory.
        """
        if self._files is None:
            self._files = AppearingFiles(self._reactor, lambda place, _: self._wake(place), self._wake_all)
        followers = self._by_directory.get(directory)
        if not followers:
            self._files.watch(directory, writes=True)
            followers = self._by_directory.setdefault(directory, [])
        follower = Follower()
        followers.append(follower)
        return follower

    def remove(self, directory: Path, follower: Follower) -> None:
        followers = self._by_directory.get(directory, [])
        if follower in followers:
            followers.remove(follower)
        if not followers and self._by_directory.pop(directory, None) is not None and self._files is not None:
            self._files.forget(directory)

    def end(self, directory: Path) -> None:
        for follower in self._by_directory.get(directory, ()):
            follower.end()

    def close(self) -> None:
        if self._files is not None:
            self._files.close()

    def _wake(self, directory: Path) -> None:
        for follower in self._by_directory.get(directory, ()):
            follower.wake()

    def _wake_all(self) -> None:
        for directory in list(self._by_directory):
            self._wake(directory)
