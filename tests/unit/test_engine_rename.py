"""Giving containers other names, at once and with a service that dies meanwhile."""

from __future__ import annotations

import pytest

from apiserver.engine.containers.registry import NameTaken
from apiserver.errors import EngineError, HostError, InvalidParameter, NoSuchContainer
from tests.support.engine import NO_NETWORK, Engine, failure_of, result_of, spawn


def names(engine: Engine) -> list[str]:
    shown = sorted(container.name for container in engine.registry.all())
    assert shown == sorted(container.name for container in engine.records.containers.values())
    assert all(engine.registry.get(name).name == name for name in shown)
    assert engine.locks.held() == ()
    return shown


@pytest.mark.parametrize("running", [False, True])
def test_wherever_it_dies_the_container_has_the_one_name_or_the_other(running: bool) -> None:
    found = set()
    for step in range(1, 100):
        engine = Engine()
        container = engine.started() if running else engine.create()
        engine.gates.passed.clear()
        engine.gates.crash_at = step
        spawn(engine.containers.rename.rename("box", "crate"))
        if not engine.gates.crashed:
            break
        following = engine.reconciled()
        (name,) = names(following)
        found.add(name)
        renamed = [row for row in following.records.rows if row.action.value == "rename"]
        assert len(renamed) == (name == "crate"), "told of if, and only if, it is so"
        assert following.container(name).id == container.id
        other = "crate" if name == "box" else "box"
        assert isinstance(failure_of(following.containers.rename.rename(other, "new")), NoSuchContainer)
        # The name that it does not have is free.
        assert following.create(NO_NETWORK, other).name == other
    assert found
    assert names(engine) == ["crate"]


def test_two_that_want_one_name_at_once_do_not_both_have_it() -> None:
    engine = Engine()
    engine.create(name="one")
    engine.create(name="two")
    held = engine.gates.hold("commit")
    first = spawn(engine.containers.rename.rename("one", "six"))
    second = spawn(engine.containers.rename.rename("two", "six"))
    del engine.gates.held["commit"]
    held.callback(None)
    result_of(first)
    assert isinstance(failure_of(second), NameTaken)
    assert names(engine) == ["six", "two"]


def test_one_that_is_given_two_names_at_once_has_the_later_one_alone() -> None:
    engine = Engine()
    container = engine.create(name="one")
    held = engine.gates.hold("commit")
    first = spawn(engine.containers.rename.rename("one", "two"))
    second = spawn(engine.containers.rename.rename("one", "six"))
    del engine.gates.held["commit"]
    held.callback(None)
    result_of(first)
    result_of(second)
    assert names(engine) == ["six"]
    assert engine.container("six").id == container.id
    told = [row.attributes for row in engine.records.rows if row.action.value == "rename"]
    assert [(each["oldName"], each["name"]) for each in told] == [("/one", "two"), ("/two", "six")]


def test_a_name_that_is_about_to_be_given_up_is_not_free_before_it_is() -> None:
    engine = Engine()
    engine.create(name="one")
    engine.create(name="two")
    held = engine.gates.hold("commit")
    first = spawn(engine.containers.rename.rename("one", "six"))
    refused = spawn(engine.containers.create.create("six", "busybox", NO_NETWORK))
    second = spawn(engine.containers.rename.rename("two", "one"))
    del engine.gates.held["commit"]
    held.callback(None)
    result_of(first)
    assert [type(failure_of(each)) for each in (refused, second)] == [NameTaken, NameTaken]
    result_of(engine.containers.rename.rename("two", "one"))
    assert names(engine) == ["one", "six"]


@pytest.mark.parametrize(("name", "kind"), [("box", InvalidParameter), ("/box", InvalidParameter), ("two", NameTaken)])
def test_a_rename_that_is_refused_keeps_no_name(name: str, kind: type[EngineError]) -> None:
    engine = Engine()
    engine.create()
    engine.create(name="two")
    assert isinstance(failure_of(engine.containers.rename.rename("box", name)), kind)
    assert names(engine) == ["box", "two"]


def test_to_podman_its_own_name_is_one_like_any_other_and_told_of() -> None:
    engine = Engine()
    engine.create()
    result_of(engine.containers.rename.rename("box", "/box", to_its_own=True))
    assert names(engine) == ["box"]
    (told,) = [row.attributes for row in engine.records.rows if row.action.value == "rename"]
    assert (told["oldName"], told["name"]) == ("/box", "box")


def test_its_own_name_is_kept_for_one_that_was_given_another_before_its_turn() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("commit")
    first = spawn(engine.containers.rename.rename("box", "crate"))
    own = spawn(engine.containers.rename.rename("box", "box", to_its_own=True))
    again = engine.gates.hold("commit")
    held.callback(None)
    result_of(first)
    del engine.gates.held["commit"]
    assert isinstance(failure_of(engine.containers.create.create("box", "busybox", NO_NETWORK)), NameTaken)
    again.callback(None)
    result_of(own)
    assert names(engine) == ["box"]


def test_a_rename_that_cannot_be_recorded_changes_nothing() -> None:
    engine = Engine()
    engine.create()
    engine.gates.failing["commit"] = HostError("disk full")
    assert isinstance(failure_of(engine.containers.rename.rename("box", "crate")), HostError)
    del engine.gates.failing["commit"]
    assert names(engine) == ["box"]
    assert engine.create(NO_NETWORK, "crate").name == "crate"


def test_one_that_is_removed_meanwhile_is_not_there() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.forget")
    removing = spawn(engine.containers.remove.remove("box"))
    renaming = spawn(engine.containers.rename.rename("box", "crate"))
    held.callback(None)
    result_of(removing)
    assert isinstance(failure_of(renaming), NoSuchContainer)
    assert names(engine) == []
    assert engine.create(NO_NETWORK, "crate").name == "crate"


def test_a_rename_that_waits_for_its_container_keeps_nobody_from_making_others() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.create")
    start = spawn(engine.containers.start.start("box"))
    rename = spawn(engine.containers.rename.rename("box", "chest"))
    assert engine.create(name="other").name == "other"
    assert isinstance(failure_of(engine.containers.create.create("chest", "busybox", NO_NETWORK)), NameTaken)
    held.callback(None)
    result_of(start)
    result_of(rename)
    assert engine.container("chest").alive
