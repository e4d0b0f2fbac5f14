"""Volumes: create, find, remove; which containers use one is asked, not kept."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from apiserver.engine.events.log import EventLog
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.locks import Locks
from apiserver.engine.ports.records import Change, DeleteVolume, PutVolume
from apiserver.engine.ports.volumes import VolumeSource
from apiserver.engine.volumes.model import Volume
from apiserver.errors import Conflict, EngineError, InvalidParameter, NoSuchVolume, NotImplementedYet

log = Logger()

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")


class VolumeInUse(Conflict):
    cause = "volume is being used"  # at these words podman's exit status is 2


class InvalidVolumeName(InvalidParameter):
    docker = (
        'create {subject}: "{subject}" includes invalid characters for a local volume name,'
        ' only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
    )
    libpod = "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: {cause}"


class Wanted(Struct, frozen=True):
    """A volume as somebody asks for it; one of this name that is there already is taken as it is."""

    name: str
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    driver: str = ""
    anonymous: bool = False


class Making:
    """Volumes that are not there yet, in two steps: `changes` are committed, then `make` makes what they say.

    Attributes:
        changes: what records them. A directory without a record would be found by nobody.
        undone: what is to be committed where `make` fails.
    """

    def __init__(
        self,
        fresh: Sequence[Volume],
        known: dict[str, Volume],
        source: VolumeSource,
        event: Callable[[Action, Volume], Event],
    ) -> None:
        self._fresh = fresh
        self._known = known
        self._source = source
        self._event = event

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for each in self._fresh for change in (PutVolume(each), self._event(Action.CREATE, each)))

    @property
    def undone(self) -> tuple[Change, ...]:
        return tuple(
            change for each in self._fresh for change in (DeleteVolume(each.name), self._event(Action.DESTROY, each))
        )

    async def make(self) -> None:
        """Make all of them, or none."""
        tried: list[str] = []
        try:
            for volume in self._fresh:
                tried.append(volume.name)
                await self._source.create(volume.name)
        except BaseException:
            for name in tried:
                try:
                    await self._source.remove(name)
                except Exception:  # noqa: BLE001  # the first failure is the caller's
                    log.failure("the directory of volume {name} stays", name=name)
            raise
        self._known.update({volume.name: volume for volume in self._fresh})


class VolumeExists(Conflict):
    cause = "volume already exists"
    libpod = "volume with name {subject} already exists: {cause}"


class Holds(Protocol):
    """`daemon.idle`: what the service must not leave behind."""

    def hold(self, what: str) -> AbstractContextManager[None]: ...


class Volumes:
    """The volumes of this service.

    Args:
        remembered: those of an earlier daemon.
        users: ids of the containers that have a volume of a name.
        wall_clock: whose `seconds()` is the time of day.
        background: what keeps the service from leaving while it deletes what an earlier one has left.
    """

    def __init__(
        self,
        remembered: Sequence[Volume],
        source: VolumeSource,
        journal: EventLog,
        locks: Locks,
        users: Callable[[str], Sequence[str]],
        wall_clock: IReactorTime,
        background: Holds,
    ) -> None:
        self._volumes = {volume.name: volume for volume in remembered}
        self._source = source
        self._journal = journal
        self._locks = locks
        self._users = users
        self._clock = wall_clock
        self._background = background

    def all(self) -> tuple[Volume, ...]:
        return tuple(self._volumes.values())

    def get(self, name: str) -> Volume:
        """By its whole name.

        Raises:
            NoSuchVolume
        """
        try:
            return self._volumes[name]
        except KeyError:
            raise NoSuchVolume(name) from None

    async def create(
        self,
        name: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        driver: str = "",
        anonymous: bool = False,
        exclusive: bool = False,
    ) -> Volume:
        """The volume of this name, made if it is not there; without a name, a new one named by 64 random digits.

        Args:
            exclusive: it must not be there yet.

        Raises:
            InvalidParameter: the name is impossible.
            VolumeExists
            NotImplementedYet: a driver but `local`, or options of it.
        """
        wanted = Wanted(name or secrets.token_hex(32), labels or {}, options or {}, driver, anonymous)
        async with self.making([wanted]) as making:
            if exclusive and wanted.name in self._volumes:
                raise VolumeExists(wanted.name)
            await self._journal.commit(*making.changes)
            try:
                await making.make()
            except BaseException:
                await self._journal.commit(*making.undone)
                raise
        return self._volumes[wanted.name]

    @asynccontextmanager
    async def making(self, wanted: Sequence[Wanted]) -> AsyncGenerator[Making, None]:
        """Hold volumes that are about to be used, and make those that are not there: recorded first, by the caller.

        Raises:
            InvalidParameter: a name is impossible.
            NotImplementedYet: a driver but `local`, or options of it.
        """
        for each in wanted:
            _check(each)
        async with AsyncExitStack() as held:
            for name in sorted({each.name for each in wanted}):
                await held.enter_async_context(self._locks.volume(name, "create"))
            fresh = {each.name: self._volume(each) for each in wanted if each.name not in self._volumes}
            yield Making(tuple(fresh.values()), self._volumes, self._source, self._event)

    def _volume(self, wanted: Wanted) -> Volume:
        return Volume(
            name=wanted.name,
            created=self._now(),
            labels=dict(wanted.labels),
            anonymous=wanted.anonymous,
            needs_copy_up=True,
            mountpoint=self._source.mountpoint(wanted.name),
        )

    @asynccontextmanager
    async def filling(self, names: Collection[str]) -> AsyncGenerator[frozenset[str], None]:
        """Hold those volumes that were never filled: where the block ends well, those are that have something in them.

        Nobody else fills, or removes, one meanwhile. Others are not held.
        """
        async with AsyncExitStack() as held:
            for name in sorted({name for name in names if self._is_new(name)}):
                await held.enter_async_context(self._locks.volume(name, "fill"))
            new = frozenset(name for name in names if self._is_new(name))
            yield new
            filled = [
                replace(self._volumes[name], needs_copy_up=False)
                for name in sorted(new)
                if not await self._source.is_empty(name)
            ]
            if filled:
                await self._journal.commit(*map(PutVolume, filled))
                self._volumes.update({volume.name: volume for volume in filled})

    def _is_new(self, name: str) -> bool:
        volume = self._volumes.get(name)
        return volume is not None and volume.needs_copy_up

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Delete a volume and its files.

        Its files are out of the way before it is forgotten, and deleted after that: whoever dies in between has
        all of them, or none. What cannot be deleted then (it is immutable, or a mount point) is tried at each start.

        Args:
            force: a missing one is no error.

        Raises:
            NoSuchVolume
            VolumeInUse: a container has it, running or not.
        """
        async with self._locks.volume(name):
            if name not in self._volumes:
                if force:
                    return
                raise NoSuchVolume(name)
            if users := self._users(name):
                raise VolumeInUse(
                    f"volume {name} is being used by the following container(s): {', '.join(users)}",
                    f"remove {name}: volume is in use - [{', '.join(users)}]",
                )
            key = await self._source.set_aside(name)
            try:
                await self._forget(name)
            except BaseException:
                if key is not None:
                    await self._put_back(name, key)
                raise
        if key is not None:
            await self._delete(key)

    async def _forget(self, name: str) -> None:
        await self._journal.commit(DeleteVolume(name), self._event(Action.DESTROY, self._volumes[name]))
        del self._volumes[name]

    async def _put_back(self, name: str, key: str) -> None:
        try:
            await self._source.put_back(key)
        except EngineError:
            log.failure("the files of volume {name} are in {key}", name=name, key=key)

    async def _delete(self, key: str) -> None:
        try:
            await self._source.delete(key)
        except EngineError as error:
            log.error("{error}; the next start tries again", error=error)

    async def reconcile(self) -> None:
        """Bring record and directories together, and take away what was half copied, where a crash came in between."""
        there = await self._source.survey()
        left = []
        for key, name in (await self._source.aside()).items():
            if name in there or name not in self._volumes or await self._finished(name):
                left.append(key)
            else:
                await self._put_back(name, key)
                there |= {name}
        Deferred.fromCoroutine(self._clear(left))
        for name, volume in self._volumes.items():
            if name not in there:
                await self._source.create(name)
            elif volume.needs_copy_up:
                await self._source.discard_unfinished(name)

    async def _finished(self, name: str) -> bool:
        """Whether a removal that was cut off is now recorded."""
        if self._users(name):
            return False
        try:
            await self._forget(name)
        except EngineError as error:
            log.error("volume {name} stays: {error}", name=name, error=error)
            return False
        return True

    async def _clear(self, keys: Sequence[str]) -> None:
        if keys:
            with self._background.hold("deleting the files of removed volumes"):
                for key in keys:
                    await self._delete(key)

    def _event(self, action: Action, volume: Volume) -> Event:
        return Event(Kind.VOLUME, action, volume.name, self._now(), {"driver": volume.driver})

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.seconds(), UTC)


def _check(wanted: Wanted) -> None:
    if wanted.driver not in ("", "local"):
        raise NotImplementedYet(f"volume driver {wanted.driver}")
    if wanted.options:
        raise NotImplementedYet(f"volume option {', '.join(sorted(wanted.options))}")
    if not NAME.fullmatch(wanted.name):
        raise InvalidVolumeName(wanted.name)
