"""Volumes: create, find, remove; which containers use one is asked, not kept."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime

from apiserver.engine.events.log import EventLog
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.locks import Locks
from apiserver.engine.ports.records import DeleteVolume, PutVolume
from apiserver.engine.ports.volumes import VolumeSource
from apiserver.engine.volumes.model import Volume
from apiserver.errors import Conflict, InvalidParameter, NoSuchVolume, NotImplementedYet

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")


class VolumeInUse(Conflict):
    cause = "volume is in use"
    docker = "remove {subject}"
    libpod = "volume {subject}: {cause}"


class Volumes:
    """The volumes of this service.

    Args:
        remembered: those of an earlier daemon.
        users: ids of the containers that have a volume of a name.
        wall_clock: whose `seconds()` is the time of day.
    """

    def __init__(
        self,
        remembered: Sequence[Volume],
        source: VolumeSource,
        journal: EventLog,
        locks: Locks,
        users: Callable[[str], Sequence[str]],
        wall_clock: IReactorTime,
    ) -> None:
        self._volumes = {volume.name: volume for volume in remembered}
        self._source = source
        self._journal = journal
        self._locks = locks
        self._users = users
        self._clock = wall_clock

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
    ) -> Volume:
        """The volume of this name, made if it is not there; without a name, a new one named by 64 random digits.

        Raises:
            InvalidParameter: the name is impossible.
            NotImplementedYet: a driver but `local`, or options of it.
        """
        if driver not in ("", "local"):
            raise NotImplementedYet(f"volume driver {driver}")
        if options:
            raise NotImplementedYet(f"volume option {', '.join(sorted(options))}")
        name = name or secrets.token_hex(32)
        if not NAME.fullmatch(name):
            raise InvalidParameter(
                f'create {name}: "{name}" includes invalid characters for a local volume name,'
                ' only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed'
            )
        async with self._locks.volume(name):
            if name in self._volumes:
                return self._volumes[name]
            volume = Volume(
                name=name,
                created=self._now(),
                labels=dict(labels or {}),
                anonymous=anonymous,
                mountpoint=self._source.mountpoint(name),
            )
            # The record comes first: a directory without one would be found by nobody.
            await self._journal.commit(PutVolume(volume), self._event(Action.CREATE, volume))
            try:
                await self._source.create(name)
            except BaseException:
                await self._journal.commit(DeleteVolume(name), self._event(Action.DESTROY, volume))
                raise
            self._volumes[name] = volume
            return volume

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Delete a volume and its files.

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
                raise VolumeInUse(f"{name}: volume is in use - [{', '.join(users)}]")
            volume = self._volumes[name]
            await self._source.remove(name)
            await self._journal.commit(DeleteVolume(name), self._event(Action.DESTROY, volume))
            del self._volumes[name]

    async def reconcile(self) -> None:
        """Make the directory of what is recorded, where a crash came in between."""
        there = await self._source.survey()
        for name in self._volumes:
            if name not in there:
                await self._source.create(name)

    def _event(self, action: Action, volume: Volume) -> Event:
        return Event(Kind.VOLUME, action, volume.name, self._now(), {"driver": volume.driver})

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.seconds(), UTC)
