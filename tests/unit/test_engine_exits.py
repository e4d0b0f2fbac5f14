"""The one exit path: once for each run, code first, then clean up, then whoever waits."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from twisted.internet.defer import CancelledError

from apiserver.engine.containers.exits import RETRY
from apiserver.engine.containers.model import State
from apiserver.engine.containers.options import ContainerOptions, Lifecycle, Network, Process
from apiserver.engine.containers.options.mounts import Mount, MountKind, Mounts
from apiserver.engine.containers.wait import Condition, WaitResult
from apiserver.engine.events.model import Kind
from apiserver.engine.ports.publish import PortRequest
from apiserver.engine.ports.runs import RunKey
from apiserver.errors import HostError, NoSuchContainer
from tests.support.engine import NO_NETWORK, TRUE, Engine, failure_of, result_of, spawn

PUBLISHED = replace(TRUE, network=Network(ports=(PortRequest(80),)))
ONE_SHOT = replace(
    PUBLISHED,
    lifecycle=Lifecycle(auto_remove=True),
    mounts=Mounts((Mount(MountKind.VOLUME, "/data"), Mount(MountKind.VOLUME, "/db", source="db"))),
)


def test_an_end_is_recorded_and_everything_given_back() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.clock.advance(3)
    engine.exit(42)
    container = engine.container()
    assert container.run is not None
    assert (container.state, container.run.exit_code, container.run.ended) == (State.EXITED, 42, True)
    assert container.run.finished == engine.machine.now()
    assert (container.run.plan, container.run.network, container.run.pid) == ({}, None, None)
    assert engine.nothing_is_left()
    assert engine.records.containers[container.id] == container
    died = [row for row in engine.records.rows if row.action.value == "died"]
    assert [(row.attributes["exitCode"], row.attributes["execDuration"]) for row in died] == [("42", "3")]


def test_the_network_is_left_in_the_events_as_it_was_joined() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.exit()
    assert engine.told("network") == ["connect", "disconnect"]


def test_each_volume_is_told_of_as_mounted_and_as_mounted_no_more() -> None:
    engine = Engine()
    raw = Mount(MountKind.VOLUME, "/raw", source="raw", read_only=True)
    scratch = Mount(MountKind.TMPFS, "/scratch")
    container = engine.started(replace(NO_NETWORK, mounts=Mounts((raw, scratch))))
    engine.exit()
    told = [(row.action.value, row.subject, row.attributes) for row in engine.records.rows if row.kind is Kind.VOLUME]
    common = {"container": container.id, "driver": "local"}
    assert told[-2:] == [
        ("mount", "raw", {**common, "destination": "/raw", "propagation": "", "read/write": "false"}),
        ("unmount", "raw", common),
    ]


def test_a_removal_tells_the_last_exit_code_once_more_and_none_of_what_never_ran() -> None:
    engine = Engine()
    engine.started(NO_NETWORK)
    engine.exit(42)
    result_of(engine.containers.remove.remove("box"))
    assert (engine.last_event().action.value, engine.last_event().attributes["exitCode"]) == ("destroy", "42")
    engine.create(name="other")
    result_of(engine.containers.remove.remove("other"))
    assert "exitCode" not in engine.last_event().attributes


def test_the_code_is_on_disk_before_the_files_that_hold_it_go() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.gates.hold("networks.detach")
    engine.exit(9)
    (recorded,) = engine.records.containers.values()
    assert recorded.run is not None
    assert (recorded.state, recorded.run.exit_code) == (State.STOPPED, 9)
    assert recorded.run.plan
    assert engine.told()[-1] == "died"


def test_a_wait_is_answered_when_ports_and_addresses_are_free() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    waits = [engine.containers.wait.watch("box", c) for c in (Condition.NOT_RUNNING, Condition.NEXT_EXIT)]
    held = engine.gates.hold("runs.discard")
    engine.exit(7)
    assert not any(wait.called for wait in waits)
    held.callback(None)
    assert [result_of(wait) for wait in waits] == [WaitResult(7), WaitResult(7)]
    assert engine.nothing_is_left()


def test_the_network_and_the_run_are_undone_side_by_side() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.gates.hold("networks.detach")
    engine.gates.hold("runs.discard")
    engine.exit(7)
    assert {"networks.detach", "runs.discard"} <= set(engine.gates.passed)


def test_what_fails_lets_nobody_go_on_while_the_other_still_works() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.gates.failing["networks.detach"] = HostError("busy")
    held = engine.gates.hold("runs.discard")
    engine.exit(7)
    removal = spawn(engine.containers.remove.remove("box"))
    engine.gates.failing.clear()
    assert engine.gates.passed.count("networks.detach") == 1, "the container is still locked"
    held.callback(None)
    result_of(removal)
    assert engine.nothing_is_left()


def test_death_for_lack_of_memory_is_told() -> None:
    engine = Engine()
    engine.started()
    engine.exit(137, oom=True)
    run = engine.container().run
    assert run is not None
    assert run.oom_killed
    assert engine.told()[-2:] == ["oom", "died"]


def test_an_unknown_code_is_255_in_the_event_and_unknown_in_the_state() -> None:
    engine = Engine()
    engine.started()
    engine.exit(None)
    run = engine.container().run
    assert run is not None
    assert run.exit_code is None
    assert engine.last_event().attributes["exitCode"] == "255"


def test_news_of_an_older_run_changes_nothing() -> None:
    engine = Engine()
    engine.started()
    first = engine.key()
    engine.exit(1)
    result_of(engine.containers.start.start("box"))
    assert engine.machine.watcher is not None
    engine.machine.watcher(first)
    engine.machine.watcher(RunKey("f" * 64, 1))
    assert engine.container().state is State.RUNNING
    assert engine.told().count("died") == 1


def test_an_end_is_handled_once_however_many_notice_it() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    held = engine.gates.hold("runs.end")
    key = engine.key()
    engine.exit(1)
    assert engine.machine.watcher is not None
    engine.machine.watcher(key)
    kill = spawn(engine.containers.kill.kill("box"))
    held.callback(None)
    result_of(kill)
    assert engine.told().count("died") == 1
    assert [discarded for discarded, _ in engine.runs.discarded] == [key]


def test_a_container_that_removes_itself_takes_its_anonymous_volumes_along_and_no_other() -> None:
    engine = Engine()
    container = engine.started(ONE_SHOT)
    assert len(engine.machine.volumes) == 2
    removed = engine.containers.wait.watch("box", Condition.REMOVED)
    engine.exit(4)
    assert result_of(removed) == WaitResult(4)
    assert engine.registry.find(container.id) is None
    assert engine.records.containers == {}
    assert engine.machine.volumes == {"db"}
    assert engine.machine.files == set()
    assert engine.nothing_is_left()
    assert engine.told() == ["create", "init", "start", "died", "destroy"]


def test_the_service_does_not_leave_while_a_container_removes_itself() -> None:
    engine = Engine()
    engine.started(ONE_SHOT)
    held = engine.gates.hold("runs.forget")
    engine.exit()
    assert len(engine.holds.active) == 1
    held.callback(None)
    assert engine.holds.active == []


def test_the_code_of_a_removed_container_is_known_for_five_minutes() -> None:
    engine = Engine()
    container = engine.started(ONE_SHOT)
    engine.exit(6)
    engine.clock.advance(299)
    following = engine.reconciled()
    for one in (engine, following):
        assert result_of(one.containers.wait.watch(container.id, Condition.REMOVED)) == WaitResult(6)
        with pytest.raises(NoSuchContainer):
            one.containers.wait.watch(container.id, Condition.NOT_RUNNING)
    engine.clock.advance(2)
    for one in (engine, following):
        with pytest.raises(NoSuchContainer):
            one.containers.wait.watch(container.id, Condition.REMOVED)


def test_old_codes_are_dropped_from_the_state_too() -> None:
    engine = Engine()
    engine.started(ONE_SHOT)
    engine.exit()
    engine.clock.advance(301)
    second = engine.started(ONE_SHOT)
    engine.exit()
    assert set(engine.records.exit_codes) == {second.id}


@pytest.mark.parametrize("why", [HostError("busy"), OSError("busy"), RuntimeError("a fault of ours")])
def test_what_cannot_be_cleaned_up_keeps_nobody_waiting_and_the_next_start_does_it(why: Exception) -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    waits = engine.containers.wait.watch("box", Condition.NEXT_EXIT)
    engine.gates.failing["runs.discard"] = why
    engine.exit(3)
    assert result_of(waits) == WaitResult(3)
    assert engine.container().state is State.STOPPED
    engine.gates.failing.clear()
    result_of(engine.containers.start.start("box"))
    assert list(engine.machine.runs) == [RunKey(engine.container().id, 2)]
    assert engine.told().count("died") == 1


def test_what_cannot_be_cleaned_up_is_tried_again_less_and_less_often() -> None:
    engine = Engine()
    engine.started(ONE_SHOT)
    removed = engine.containers.wait.watch("box", Condition.REMOVED)
    engine.gates.failing["networks.detach"] = HostError("busy")
    engine.exit(3)
    engine.gates.passed.clear()
    for delay in (RETRY, 2 * RETRY, 4 * RETRY):
        engine.clock.advance(delay - 1)
        assert "networks.detach" not in engine.gates.passed
        engine.clock.advance(1)
        assert engine.gates.passed.count("networks.detach") == 1
        engine.gates.passed.clear()
    engine.gates.failing.clear()
    engine.clock.advance(8 * RETRY)
    assert result_of(removed) == WaitResult(3)
    assert engine.nothing_is_left()


def test_what_somebody_else_cleaned_up_is_not_tried_again() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.gates.failing["networks.detach"] = HostError("busy")
    engine.exit(3)
    engine.gates.failing.clear()
    result_of(engine.containers.remove.remove("box"))
    engine.gates.passed.clear()
    engine.clock.advance(RETRY)
    assert engine.gates.passed == []


def test_a_clean_up_that_is_cancelled_ends_at_once_and_the_next_service_does_it() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.machine.watched = set()
    engine.exit(3)
    engine.gates.queue = []
    settling = spawn(engine.containers.reconcile.last_look())
    while "networks.detach" not in engine.gates.passed:
        engine.gates.queue.pop(0).callback(None)
    settling.cancel()
    assert isinstance(failure_of(settling), CancelledError)
    assert engine.container().state is State.STOPPED
    engine.gates.queue = None
    following = engine.reconciled()
    assert following.container().state is State.EXITED
    assert following.nothing_is_left()


def test_what_cannot_be_cleaned_up_can_still_be_removed() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.gates.failing["networks.detach"] = HostError("busy")
    engine.exit(3)
    engine.gates.failing.clear()
    result_of(engine.containers.remove.remove("box"))
    assert engine.nothing_is_left()


def test_an_end_that_cannot_be_recorded_is_tried_again() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.gates.failing["commit"] = HostError("disk full")
    engine.exit(3)
    assert engine.container().state is State.RUNNING
    engine.gates.failing.clear()
    engine.clock.advance(RETRY)
    run = engine.container().run
    assert run is not None
    assert (engine.container().state, run.exit_code) == (State.EXITED, 3)
    assert engine.nothing_is_left()


@pytest.mark.parametrize("why", [HostError("busy"), OSError("busy")])
def test_a_container_that_cannot_remove_itself_says_so_to_who_waits_for_that(why: Exception) -> None:
    engine = Engine()
    engine.started(ONE_SHOT)
    removed = engine.containers.wait.watch("box", Condition.REMOVED)
    engine.gates.failing["runs.forget"] = why
    engine.exit(3)
    result = result_of(removed)
    assert (result.code, "busy" in result.error) == (3, True)
    assert engine.container().state is State.REMOVING
    engine.gates.failing.clear()
    result_of(engine.containers.remove.remove("box"))
    assert engine.machine.volumes == {"db"}


def test_waiting_without_a_run_is_over_at_once_and_its_next_exit_is_not_missed() -> None:
    engine = Engine()
    engine.create()
    assert result_of(engine.containers.wait.watch("box", Condition.NOT_RUNNING)) == WaitResult(0)
    following = engine.containers.wait.watch("box", Condition.NEXT_EXIT)
    result_of(engine.containers.start.start("box"))
    engine.exit(5)
    assert result_of(following) == WaitResult(5)


def test_the_next_exit_is_not_the_last_one() -> None:
    engine = Engine()
    engine.started()
    engine.exit(5)
    following = engine.containers.wait.watch("box", Condition.NEXT_EXIT)
    assert not following.called
    result_of(engine.containers.start.start("box"))
    engine.exit(6)
    assert result_of(following) == WaitResult(6)


def test_who_waits_while_it_starts_waits_for_that_run() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.create")
    start = spawn(engine.containers.start.start("box"))
    waits = engine.containers.wait.watch("box", Condition.NOT_RUNNING)
    assert not waits.called
    held.callback(None)
    result_of(start)
    engine.exit(8)
    assert result_of(waits) == WaitResult(8)


def test_a_failed_start_ends_the_wait_for_not_running() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.create")
    start = spawn(engine.containers.start.start("box"))
    waits = engine.containers.wait.watch("box", Condition.NOT_RUNNING)
    engine.gates.failing["runs.create"] = HostError("no")
    held.callback(None)
    failure_of(start)
    assert result_of(waits) == WaitResult(128, "no")


def test_a_waiter_who_leaves_is_forgotten() -> None:
    engine = Engine()
    engine.started()
    left, stays = (engine.containers.wait.watch("box", Condition.NEXT_EXIT) for _ in range(2))
    left.addErrback(lambda _: None)
    left.cancel()
    engine.exit(1)
    assert result_of(stays) == WaitResult(1)


def test_a_removal_ends_every_wait() -> None:
    engine = Engine()
    engine.create(ContainerOptions(process=Process(command=("true",)), network=NO_NETWORK.network))
    waits = [engine.containers.wait.watch("box", c) for c in (Condition.NEXT_EXIT, Condition.REMOVED)]
    result_of(engine.containers.remove.remove("box"))
    assert [result_of(wait) for wait in waits] == [WaitResult(0), WaitResult(0)]
