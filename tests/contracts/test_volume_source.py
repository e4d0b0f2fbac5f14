"""One suite for the volumes' directories in memory and on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as global_reactor
from twisted.internet.task import Clock

from apiserver.drivers.threads import Threads
from apiserver.engine.ports.volumes import VolumeSource
from apiserver.errors import HostError
from apiserver.local.paths import Paths
from apiserver.local.volumes import LocalVolumes
from tests.fakes.machine import Machine
from tests.fakes.volumes import FakeVolumeSource

reactor: Any = global_reactor


@pytest.fixture(params=["memory", "disk"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> VolumeSource:
    if request.param == "memory":
        return FakeVolumeSource(Machine(Clock()))
    paths = Paths(tmp_path / "root", tmp_path / "run")
    paths.prepare()
    return LocalVolumes(paths, Threads(reactor))


@pytest_twisted.ensureDeferred
async def test_what_is_made_is_found_until_it_is_removed(source: VolumeSource) -> None:
    await source.create("db")
    assert await source.survey() == {"db"}
    await source.remove("db")
    assert await source.survey() == frozenset()


@pytest_twisted.ensureDeferred
async def test_making_and_removing_twice_is_no_error(source: VolumeSource) -> None:
    for _ in range(2):
        await source.create("db")
    for _ in range(2):
        await source.remove("db")


def test_where_a_volume_lies_is_known_before_it_is_made(source: VolumeSource) -> None:
    assert source.mountpoint("db").endswith("/volumes/db/_data")


@pytest_twisted.ensureDeferred
async def test_what_is_new_or_not_there_is_empty(source: VolumeSource) -> None:
    await source.create("db")
    assert [await source.is_empty(name) for name in ("db", "nothing")] == [True, True]


@pytest_twisted.ensureDeferred
async def test_taking_away_what_is_unfinished_leaves_the_volume(source: VolumeSource) -> None:
    await source.create("db")
    await source.discard_unfinished("db")
    await source.discard_unfinished("nothing")
    assert await source.survey() == {"db"}


@pytest_twisted.ensureDeferred
async def test_what_is_set_aside_is_not_found_and_the_name_is_free(source: VolumeSource) -> None:
    await source.create("x" * 255)
    key = await source.set_aside("x" * 255)
    assert key is not None
    assert await source.survey() == frozenset()
    assert await source.aside() == {key: "x" * 255}
    await source.create("x" * 255)
    for _ in range(2):
        await source.delete(key)
    assert await source.survey() == {"x" * 255}
    assert await source.aside() == {}


@pytest_twisted.ensureDeferred
async def test_what_was_set_aside_can_be_put_back_unless_its_name_is_taken(source: VolumeSource) -> None:
    await source.create("db")
    key = await source.set_aside("db")
    assert key is not None
    await source.put_back(key)
    assert await source.survey() == {"db"}
    assert await source.aside() == {}
    key = await source.set_aside("db")
    assert key is not None
    await source.create("db")
    with pytest.raises(HostError):
        await source.put_back(key)
    assert await source.aside() == {key: "db"}


@pytest_twisted.ensureDeferred
async def test_what_is_not_there_cannot_be_set_aside(source: VolumeSource) -> None:
    assert await source.set_aside("nothing") is None
    assert await source.aside() == {}
