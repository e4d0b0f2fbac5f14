"""Which layers nothing needs, and when they are removed."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from apiserver.drivers.containers_storage import StoredLayer
from apiserver.errors import HostError
from apiserver.local.images.copies import Copies, left
from apiserver.local.images.orphans import orphaned


def layers(**parents: str) -> dict[str, StoredLayer]:
    return {name: StoredLayer(name, parent) for name, parent in parents.items()}


def found(known: dict[str, StoredLayer], *needed: str) -> list[str]:
    return ["".join(layer.id for layer in chain) for chain in orphaned(known, needed)]


def test_what_an_image_needs_down_to_its_base_is_no_orphan() -> None:
    assert found(layers(a="", b="a", c="b"), "c") == []
    assert found(layers(a="", b="a", c="b"), "b") == ["abc"]


def test_of_orphans_upon_each_other_the_topmost_stands_for_all() -> None:
    assert found(layers(a="", b="a", c="b")) == ["abc"]
    assert found(layers(a="", b="a", c="a", x="")) == ["ab", "ac", "x"]


def test_a_layer_below_one_that_is_needed_is_not_its_own_orphan() -> None:
    assert found(layers(a="", b="a", c="a"), "c", "unknown", "") == ["ab"]


class World:
    def __init__(self, folder: Path) -> None:
        self.marks = folder / "copies"
        self.cleared = 0
        self.gate: Deferred[None] | None = None
        self.broken = False
        self.held_to: list[bytes] = []
        self.copies = self.started()

    def started(self) -> Copies:
        async def at_once(work: Any) -> Any:
            return work()

        return Copies(self.marks, self._clear, at_once)

    async def hold_to(self, promised: bytes) -> None:
        self.held_to.append(promised)
        if self.broken:
            raise HostError("it cannot be read")

    async def _clear(self) -> None:
        if self.broken:
            raise HostError("no space left on device")
        self.cleared += 1
        if self.gate is not None:
            await self.gate

    def copy(self) -> tuple[Deferred[None], Deferred[None]]:
        """A copy that has begun; fire, fail or cancel the first to end it, the second fires with its end."""
        end: Deferred[None] = Deferred()

        async def work() -> None:
            async with self.copies.one():
                await end

        return end, Deferred.fromCoroutine(work())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def run(work: Coroutine[Any, Any, None]) -> None:
    done = Deferred.fromCoroutine(work)
    assert done.called
    done.addErrback(lambda failure: failure.raiseException())


def failed(work: Deferred[None]) -> type[BaseException]:
    failures: list[Any] = []
    work.addErrback(failures.append)
    return type(failures[0].value)


def test_a_copy_that_ends_well_leaves_no_mark_and_nothing_is_cleared(world: World) -> None:
    end, _ = world.copy()
    assert len(left(world.marks)) == 1
    end.callback(None)
    assert (left(world.marks), world.cleared) == (set(), 0)


def test_after_a_copy_that_fails_or_is_cancelled_is_cleared_before_it_tells(world: World) -> None:
    for cancelled in (False, True):
        world.gate, world.cleared = Deferred(), 0
        end, work = world.copy()
        told: list[Failure] = []
        work.addErrback(told.append)
        if cancelled:
            work.cancel()
        else:
            end.errback(HostError("no"))
        assert (world.cleared, told) == (1, [])
        world.gate.callback(None)
        assert told[0].type is (CancelledError if cancelled else HostError)
        assert left(world.marks) == set()


def test_nothing_is_cleared_while_anybody_copies(world: World) -> None:
    first, _ = world.copy()
    second, work = world.copy()
    second.errback(HostError("no"))
    assert failed(work) is HostError
    assert (world.cleared, len(left(world.marks))) == (0, 2)
    first.callback(None)
    assert (world.cleared, left(world.marks)) == (1, set())


def test_who_begins_while_it_is_cleared_waits(world: World) -> None:
    world.gate = Deferred()
    first, first_work = world.copy()
    first.errback(HostError("no"))
    _, second_work = world.copy()
    assert len(left(world.marks)) == 1
    world.gate.callback(None)
    assert failed(first_work) is HostError
    assert len(left(world.marks)) == 1
    assert not second_work.called


def test_what_cannot_be_cleared_is_tried_after_the_next_copy_and_at_the_next_start(world: World) -> None:
    world.broken = True
    end, work = world.copy()
    end.errback(HostError("the first"))
    assert failed(work) is HostError
    assert len(left(world.marks)) == 1
    world.broken = False
    end, _ = world.copy()
    end.callback(None)
    assert (world.cleared, left(world.marks)) == (1, set())
    (world.marks / "of an earlier life").touch()
    world.copies = world.started()
    run(world.copies.after_death(world.hold_to))
    assert (world.cleared, left(world.marks)) == (2, set())


def test_a_start_clears_after_the_copies_that_have_begun_meanwhile(world: World) -> None:
    world.marks.mkdir()
    (world.marks / "of an earlier life").touch()
    end, _ = world.copy()
    run(world.copies.after_death(world.hold_to))
    assert world.cleared == 0
    end.callback(None)
    assert (world.cleared, left(world.marks)) == (1, set())


@pytest.mark.parametrize("broken", [False, True])
def test_a_copy_of_an_earlier_life_is_held_to_what_was_promised_of_it(world: World, broken: bool) -> None:
    async def work() -> None:
        async with world.copies.one(b"so large"):
            await Deferred()

    Deferred.fromCoroutine(work())
    world.copies, world.broken = world.started(), broken
    run(world.copies.after_death(world.hold_to))
    assert (world.held_to, world.cleared) == ([b"so large"], 0 if broken else 1)
