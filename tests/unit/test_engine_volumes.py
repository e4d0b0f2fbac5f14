"""Volumes: one record and one directory each, or neither."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.engine.events.log import EventLog
from apiserver.engine.events.model import Action, Event
from apiserver.engine.locks import Locks
from apiserver.engine.ports.records import Change, DeleteVolume, PutVolume, Remembered
from apiserver.engine.volumes.model import Volume
from apiserver.engine.volumes.service import VolumeInUse, Volumes
from apiserver.errors import HostError, InvalidParameter, NoSuchVolume, NotImplementedYet
from apiserver.http.flavour import Flavour
from apiserver.local.records.codec import Decoder, encoded
from tests.support.engine import HoldsDouble

T = TypeVar("T")


class VolumeRecords:
    def __init__(self) -> None:
        self.names: set[str] = set()
        self.events: list[tuple[Action, str]] = []
        self.full = False

    def remembered(self) -> Remembered:
        return Remembered()

    async def commit(self, *changes: Change) -> Sequence[Event]:
        if self.full:
            raise HostError("disk full")
        for change in changes:
            match change:
                case PutVolume(volume):
                    self.names.add(volume.name)
                case DeleteVolume(name):
                    self.names.discard(name)
                case Event():
                    self.events.append((change.action, change.subject))
        return [replace(c, serial=1) for c in changes if isinstance(c, Event)]

    async def latest_serial(self) -> int:
        return 0

    async def close(self) -> None: ...


class Directories:
    """A source of volumes that can fail."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.broken = False
        self.put_aside: dict[str, str] = {}
        self.stuck = False
        self.tidied: list[str] = []
        self.empty: set[str] = set()

    def mountpoint(self, name: str) -> str:
        return f"/volumes/{name}/_data"

    async def create(self, name: str) -> None:
        if self.broken:
            raise HostError("no space left on device")
        self.there.add(name)

    async def remove(self, name: str) -> None:
        self.there.discard(name)

    async def set_aside(self, name: str) -> str | None:
        if name not in self.there:
            return None
        self.there.discard(name)
        self.put_aside[f"key of {name}"] = name
        return f"key of {name}"

    async def put_back(self, key: str) -> None:
        self.there.add(self.put_aside.pop(key))

    async def delete(self, key: str) -> None:
        if self.stuck:
            raise HostError("operation not permitted")
        self.put_aside.pop(key, None)

    async def aside(self) -> Mapping[str, str]:
        return dict(self.put_aside)

    async def is_empty(self, name: str) -> bool:
        return name in self.empty

    async def discard_unfinished(self, name: str) -> None:
        self.tidied.append(name)

    async def survey(self) -> frozenset[str]:
        return frozenset(self.there)


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.records = VolumeRecords()
        self.source = Directories()
        self.users: dict[str, list[str]] = {}
        self.holds = HoldsDouble()
        self.volumes = self.started(())

    def started(self, remembered: Sequence[Volume]) -> Volumes:
        journal = EventLog(self.records, self.clock)  # type: ignore[arg-type]  # it has no past to read
        return Volumes(
            remembered,
            self.source,
            journal,
            Locks(self.clock),
            lambda name: self.users.get(name, []),
            self.clock,
            self.holds,
        )


@pytest.fixture
def world() -> World:
    return World()


def result_of(work: Coroutine[Any, Any, T]) -> T:
    box: list[T] = []
    failures: list[BaseException] = []
    Deferred.fromCoroutine(work).addCallbacks(box.append, lambda failure: failures.append(failure.value))
    if failures:
        raise failures[0]
    return box[0]


def test_a_volume_without_a_name_gets_64_digits(world: World) -> None:
    volume = result_of(world.volumes.create())
    assert len(bytes.fromhex(volume.name)) == 32
    assert world.source.there == {volume.name}


def test_creating_an_existing_volume_gives_the_existing_one(world: World) -> None:
    first = result_of(world.volumes.create("db", labels={"a": "b"}))
    assert result_of(world.volumes.create("db", labels={"x": "y"})) is first
    assert world.records.events == [(Action.CREATE, "db")]


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "-x", "a b", "x\n", "x" * 256])
def test_a_name_that_could_leave_its_root_is_refused(world: World, name: str) -> None:
    with pytest.raises(InvalidParameter):
        result_of(world.volumes.create(name))
    assert not world.source.there


def test_another_driver_is_not_built(world: World) -> None:
    with pytest.raises(NotImplementedYet, match="nfs"):
        result_of(world.volumes.create("db", driver="nfs"))


def test_a_volume_whose_directory_cannot_be_made_leaves_no_record_and_can_be_made_later(world: World) -> None:
    world.source.broken = True
    with pytest.raises(HostError):
        result_of(world.volumes.create("db"))
    assert (world.volumes.all(), world.records.names) == ((), set())
    world.source.broken = False
    assert result_of(world.volumes.create("db")).name == "db"


def test_a_volume_that_cannot_be_recorded_makes_no_directory(world: World) -> None:
    world.records.full = True
    with pytest.raises(HostError):
        result_of(world.volumes.create("db"))
    assert not world.source.there


def test_a_volume_in_use_stays_and_says_by_whom(world: World) -> None:
    result_of(world.volumes.create("db"))
    world.users["db"] = ["c1", "c2"]
    with pytest.raises(VolumeInUse) as refused:
        result_of(world.volumes.remove("db", force=True))
    assert Flavour.DOCKER.words(refused.value) == "remove db: volume is in use - [c1, c2]"
    libpod = "volume db is being used by the following container(s): c1, c2: volume is being used"
    assert Flavour.LIBPOD.words(refused.value) == libpod
    assert world.source.there == {"db"}


def test_a_removed_volume_is_gone_with_files_and_record(world: World) -> None:
    result_of(world.volumes.create("db"))
    result_of(world.volumes.remove("db"))
    assert (world.volumes.all(), world.records.names, world.source.there) == ((), set(), set())
    with pytest.raises(NoSuchVolume):
        world.volumes.get("db")


def test_a_removal_that_cannot_be_recorded_leaves_the_volume_as_it_was(world: World) -> None:
    result_of(world.volumes.create("db"))
    world.records.full = True
    with pytest.raises(HostError):
        result_of(world.volumes.remove("db"))
    assert (world.source.there, world.source.put_aside) == ({"db"}, {})
    assert world.volumes.get("db").name == "db"


def test_files_that_cannot_be_deleted_do_not_keep_the_volume_and_are_tried_at_the_next_start(
    world: World,
) -> None:
    result_of(world.volumes.create("db"))
    world.source.stuck = True
    result_of(world.volumes.remove("db"))
    assert (world.volumes.all(), world.source.put_aside) == ((), {"key of db": "db"})
    result_of(world.volumes.create("db"))
    world.source.stuck = False
    result_of(world.started(world.volumes.all()).reconcile())
    assert (world.source.there, world.source.put_aside) == ({"db"}, {})
    assert world.holds.all == ["deleting the files of removed volumes"]


def test_a_removal_that_was_cut_off_is_finished_at_the_next_start(world: World) -> None:
    volume = result_of(world.volumes.create("db"))
    result_of(world.source.set_aside("db"))
    volumes = world.started([volume])
    result_of(volumes.reconcile())
    assert (volumes.all(), world.records.names) == ((), set())
    assert (world.source.there, world.source.put_aside) == (set(), {})
    assert world.records.events[-1] == (Action.DESTROY, "db")


@pytest.mark.parametrize("why", ["used", "full"])
def test_a_removal_that_was_cut_off_and_cannot_be_finished_is_undone(world: World, why: str) -> None:
    volume = result_of(world.volumes.create("db"))
    result_of(world.source.set_aside("db"))
    world.users, world.records.full = {"db": ["c1"] if why == "used" else []}, why == "full"
    volumes = world.started([volume])
    result_of(volumes.reconcile())
    assert (volumes.all(), world.source.there, world.source.put_aside) == ((volume,), {"db"}, {})


def test_force_ignores_a_missing_volume_and_plain_remove_does_not(world: World) -> None:
    result_of(world.volumes.remove("nope", force=True))
    with pytest.raises(NoSuchVolume):
        result_of(world.volumes.remove("nope"))


def test_a_crash_between_record_and_directory_is_mended_at_the_next_start(world: World) -> None:
    volume = Volume("db", datetime.fromtimestamp(0).astimezone())
    result_of(world.started((volume,)).reconcile())
    assert world.source.there == {"db"}


async def fill(volumes: Volumes, *names: str, fails: bool = False) -> frozenset[str]:
    async with volumes.filling(names) as new:
        if fails:
            raise HostError("no space left on device")
        return new


def test_a_volume_is_filled_once(world: World) -> None:
    for name in ("a", "b"):
        assert result_of(world.volumes.create(name)).needs_copy_up
    assert result_of(fill(world.volumes, "a", "nothing")) == {"a"}
    assert result_of(fill(world.volumes, "a", "b")) == {"b"}
    assert result_of(fill(world.volumes, "a", "b")) == frozenset()
    assert not world.volumes.get("a").needs_copy_up


def test_a_volume_that_is_still_empty_is_new_to_the_next(world: World) -> None:
    for name in ("a", "b"):
        result_of(world.volumes.create(name))
    world.source.empty = {"a"}
    assert result_of(fill(world.volumes, "a", "b")) == {"a", "b"}
    assert world.volumes.get("a").needs_copy_up
    world.source.empty = set()
    assert result_of(fill(world.volumes, "a", "b")) == {"a"}
    assert result_of(fill(world.volumes, "a", "b")) == frozenset()


def test_a_filling_that_fails_is_tried_again(world: World) -> None:
    result_of(world.volumes.create("a"))
    with pytest.raises(HostError):
        result_of(fill(world.volumes, "a", fails=True))
    assert result_of(fill(world.volumes, "a")) == {"a"}


def test_what_is_filled_cannot_be_removed_meanwhile_and_is_not_filled_twice(world: World) -> None:
    result_of(world.volumes.create("a"))
    steps: list[str] = []
    gate: Deferred[None] = Deferred()

    async def first() -> None:
        async with world.volumes.filling(["a"]):
            await gate
            steps.append("filled")

    async def second() -> None:
        steps.append(f"again {sorted(await fill(world.volumes, 'a'))}")

    async def remove() -> None:
        await world.volumes.remove("a")
        steps.append("removed")

    all_of_them = [Deferred.fromCoroutine(each()) for each in (first, second, remove)]
    assert steps == []
    gate.callback(None)
    assert (steps[0], sorted(steps)) == ("filled", ["again []", "filled", "removed"])
    assert all(each.called for each in all_of_them)


def test_what_was_half_copied_is_taken_away_at_the_start(world: World) -> None:
    for name in ("a", "b"):
        result_of(world.volumes.create(name))
    result_of(fill(world.volumes, "a"))
    volumes = world.started([world.volumes.get("a"), world.volumes.get("b")])
    result_of(volumes.reconcile())
    assert world.source.tidied == ["b"]


def test_a_volume_of_an_older_version_is_never_filled() -> None:
    row = encoded(Volume("a", datetime.now(UTC), needs_copy_up=True)).replace(b',"needs_copy_up":true', b"")
    assert b"needs_copy_up" not in row
    assert not Decoder(Volume)(row).needs_copy_up
