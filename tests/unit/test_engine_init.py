"""Making a container ready without starting it, and the start of one that waits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.failures import ContainerNotRunning, MarkedForRemoval
from apiserver.engine.containers.model import Container, State
from apiserver.engine.containers.options import Network
from apiserver.engine.containers.options.mounts import Mount, MountKind, Mounts
from apiserver.engine.containers.wait import Condition, WaitResult
from apiserver.engine.ports.publish import PortRequest
from apiserver.engine.ports.runs import StartFailed
from apiserver.engine.ports.streams import Stream
from apiserver.errors import HostError, NotModified
from tests.fakes.machine import Phase
from tests.support.engine import TRUE, Engine, failure_of, result_of, spawn

PUBLISHED = replace(TRUE, network=Network(ports=(PortRequest(80, host_port_first=8080, host_port_last=8080),)))


def init(engine: Engine) -> Container:
    result_of(engine.containers.start.init("box"))
    return engine.container()


def initialized(engine: Engine) -> Container:
    engine.create(PUBLISHED)
    return init(engine)


def test_all_is_made_and_nothing_runs_until_the_start() -> None:
    engine = Engine()
    container = initialized(engine)
    assert container.state is State.INITIALIZED
    assert engine.process().phase is Phase.CREATED
    assert (engine.machine.starts, engine.machine.ports) == ({}, [])
    assert container.run is not None
    assert [str(e.address) for e in container.run.endpoints] == ["10.89.0.2"]
    result_of(engine.containers.start.start("box"))
    assert engine.container().state is State.RUNNING
    assert engine.machine.starts == {engine.key(): 1}
    assert len(engine.runs.specs) == 1
    assert engine.told() == ["create", "init", "start"]
    assert engine.told("network") == ["connect"]


def test_a_second_init_and_that_of_a_running_one_change_nothing() -> None:
    engine = Engine()
    initialized(engine)
    assert isinstance(failure_of(engine.containers.start.init("box")), NotModified)
    result_of(engine.containers.start.start("box"))
    assert isinstance(failure_of(engine.containers.start.init("box")), NotModified)


def _removed(engine: Engine) -> None:
    result_of(engine.containers.remove.remove("box"))


def _not_started(engine: Engine) -> None:
    engine.gates.failing["runs.start"] = HostError("no")
    failure_of(engine.containers.start.start("box"))


def _rebooted(engine: Engine) -> None:
    engine.machine.reboots()
    engine.reconciled("boot-2")


@pytest.mark.parametrize("undone", [_removed, _not_started, _rebooted])
def test_one_that_waits_leaves_its_networks_and_volumes_however_it_is_undone(
    undone: Callable[[Engine], object],
) -> None:
    engine = Engine()
    engine.create(replace(PUBLISHED, mounts=Mounts(mounts=(Mount(MountKind.VOLUME, "/data", "vol"),))))
    init(engine)
    undone(engine)
    assert engine.told("network") == ["connect", "disconnect"]
    assert engine.told("volume")[:3] == ["create", "mount", "unmount"]


def test_what_was_left_at_a_removal_is_told_in_its_turn() -> None:
    engine = Engine()
    initialized(engine)
    held = engine.gates.hold("runs.forget")
    removal = spawn(engine.containers.remove.remove("box"))
    engine.clock.advance(1)
    engine.started(TRUE, name="other")
    engine.clock.advance(1)
    held.callback(None)
    result_of(removal)
    times = [row.time for row in engine.records.rows]
    assert engine.records.rows[-2].action.value == "disconnect"
    assert times == sorted(times)


def test_a_failed_init_leaves_nothing_but_why() -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.failing["runs.create"] = StartFailed("no such program", 127)
    assert isinstance(failure_of(engine.containers.start.init("box")), StartFailed)
    container = engine.container()
    assert container.state is State.CONFIGURED
    assert container.run is not None
    assert (container.run.exit_code, container.run.ended) == (127, True)
    assert engine.nothing_is_left()


@pytest.mark.parametrize("ran_before", [False, True])
def test_a_failed_start_of_one_that_waits_undoes_it_to_what_it_was(ran_before: bool) -> None:
    engine = Engine()
    if ran_before:
        engine.started(PUBLISHED)
        engine.exit(3)
        init(engine)
    else:
        initialized(engine)
    engine.gates.failing["runs.start"] = StartFailed("no such program", 127)
    assert isinstance(failure_of(engine.containers.start.start("box")), StartFailed)
    container = engine.container()
    assert container.state is (State.EXITED if ran_before else State.CONFIGURED)
    assert container.run is not None
    assert (container.run.exit_code, container.run.plan) == (127, {})
    assert engine.nothing_is_left()


def test_until_the_start_what_is_told_is_of_the_run_before() -> None:
    engine = Engine()
    first = engine.started().run
    assert first is not None
    first_end = engine.machine.now()
    engine.exit(3)
    run = init(engine).run
    assert run is not None
    assert (run.number, run.started, run.exit_code, run.ended) == (2, first.started, 3, False)
    engine.clock.advance(60)
    result_of(engine.containers.start.start("box"))
    run = engine.container().run
    assert run is not None
    assert (run.exit_code, run.finished) == (None, first_end)


def test_a_new_service_leaves_one_that_waits_alone_and_can_start_it() -> None:
    engine = Engine()
    initialized(engine)
    engine = engine.reconciled()
    assert engine.container().state is State.INITIALIZED
    assert engine.process().phase is Phase.CREATED
    result_of(engine.containers.start.start("box"))
    assert engine.machine.starts == {engine.key(): 1}
    engine.exit(0)
    assert engine.container().state is State.EXITED
    assert engine.nothing_is_left()


@pytest.mark.parametrize("ran_before", [False, True])
def test_after_a_reboot_it_is_what_it_was_before(ran_before: bool) -> None:
    engine = Engine()
    if ran_before:
        engine.started(PUBLISHED)
        engine.exit(3)
        init(engine)
    else:
        initialized(engine)
    engine.machine.runs.clear()
    engine = engine.reconciled("boot-2")
    container = engine.container()
    assert container.state is (State.EXITED if ran_before else State.CONFIGURED)
    assert container.run is not None
    assert (container.run.ended, container.run.exit_code, container.run.plan) == (True, 3 if ran_before else 0, {})
    result_of(engine.containers.start.start("box"))


@pytest.mark.parametrize("step", ["runs.create", "runs.create done", "networks.attach"])
def test_an_init_that_was_cut_off_did_not_happen(step: str) -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.hold(step)
    spawn(engine.containers.start.init("box"))
    engine = engine.reconciled()
    assert engine.container().state is State.CONFIGURED
    assert engine.nothing_is_left()


def test_a_start_of_one_that_waits_that_was_cut_off_ends_with_an_unknown_code() -> None:
    engine = Engine()
    initialized(engine)
    engine.gates.hold("runs.start done")
    spawn(engine.containers.start.start("box"))
    engine = engine.reconciled()
    container = engine.container()
    assert container.state is State.EXITED
    assert container.run is not None
    assert container.run.exit_code is None
    assert engine.nothing_is_left()


def test_the_end_of_a_process_that_waits_is_the_end_of_the_run() -> None:
    engine = Engine()
    initialized(engine)
    engine.exit(137)
    container = engine.container()
    assert container.state is State.EXITED
    assert container.run is not None
    assert container.run.exit_code == 137
    assert engine.nothing_is_left()


def test_it_is_removed_without_force_and_who_waits_hears_no_code_of_a_run() -> None:
    engine = Engine()
    initialized(engine)
    assert result_of(engine.containers.wait.watch("box", Condition.NOT_RUNNING)) == WaitResult(0)
    removed = engine.containers.wait.watch("box", Condition.REMOVED)
    result_of(engine.containers.remove.remove("box"))
    assert result_of(removed) == WaitResult(0)
    assert engine.nothing_is_left()


def test_it_does_not_run_for_stop_and_kill_and_a_restart_starts_it() -> None:
    engine = Engine()
    initialized(engine)
    assert isinstance(failure_of(engine.containers.stop.stop("box")), NotModified)
    assert isinstance(failure_of(engine.containers.kill.kill("box")), ContainerNotRunning)
    result_of(engine.containers.restart.restart("box"))
    assert engine.machine.starts == {engine.key(): 1}


def test_an_attach_waits_for_the_start_and_loses_nothing() -> None:
    engine = Engine()
    initialized(engine)
    streams = result_of(engine.containers.attach.attach("box", stdout=True))
    result_of(engine.containers.start.start("box"))
    engine.process().say(b"first")
    assert result_of(streams.read()) == (Stream.STDOUT, b"first")
    streams.close()


def test_one_that_is_being_removed_is_not_made_ready() -> None:
    engine = Engine()
    engine.create()
    engine.gates.failing["runs.forget"] = HostError("busy")
    assert isinstance(failure_of(engine.containers.remove.remove("box")), HostError)
    assert isinstance(failure_of(engine.containers.start.init("box")), MarkedForRemoval)


def test_a_stop_that_means_it_too_ends_it_at_once() -> None:
    engine = Engine()
    initialized(engine)
    process = engine.process()
    ended = engine.containers.wait.watch("box", Condition.NEXT_EXIT)
    result_of(engine.containers.stop.stop("box", initialized=True))
    assert process.sent == [9]
    assert result_of(ended) == WaitResult(137)
    container = engine.container()
    assert (container.state, container.stopped_by_user) == (State.EXITED, True)
    assert engine.told() == ["create", "init", "kill", "died"]
    assert engine.nothing_is_left()
    assert isinstance(failure_of(engine.containers.stop.stop("box", initialized=True)), NotModified)
    result_of(engine.containers.start.start("box"))
    assert engine.container().state is State.RUNNING


def test_what_was_stopped_before_its_start_ran_for_no_time() -> None:
    engine = Engine()
    engine.started()
    engine.exit(0)
    engine.clock.advance(100)
    init(engine)
    result_of(engine.containers.stop.stop("box", initialized=True))
    died = [row.attributes for row in engine.records.rows if row.action.value == "died"]
    assert [each["execDuration"] for each in died] == ["0", "0"]


def test_its_process_is_known_and_forgotten_with_it() -> None:
    engine = Engine()
    run = initialized(engine).run
    assert run is not None
    assert run.pid == 1001
    engine.gates.failing["runs.start"] = StartFailed("no such program", 127)
    failure_of(engine.containers.start.start("box"))
    run = engine.container().run
    assert run is not None
    assert run.pid is None
