"""Stop, kill, restart and remove, one at a time and against each other."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.failures import ContainerNotRunning, ContainerRunning
from apiserver.engine.containers.model import State
from apiserver.engine.containers.options import Lifecycle
from apiserver.engine.containers.options.mounts import Mount, MountKind, Mounts
from apiserver.engine.containers.signals import InvalidSignal
from apiserver.engine.ports.runs import StartFailed
from apiserver.errors import HostError, NoSuchContainer, NotModified
from apiserver.http.flavour import Flavour
from tests.support.engine import NO_NETWORK, Engine, failure_of, result_of, spawn

DEAF = frozenset({15, 2})


def with_stop(signal: str = "", timeout: float | None = None) -> object:
    return replace(NO_NETWORK, process=replace(NO_NETWORK.process, stop_signal=signal, stop_timeout=timeout))


def test_a_stop_ends_when_the_container_is_cleaned_up() -> None:
    engine = Engine()
    engine.started()
    held = engine.gates.hold("runs.discard")
    stop = spawn(engine.containers.stop.stop("box"))
    assert not stop.called
    held.callback(None)
    result_of(stop)
    container = engine.container()
    assert container.run is not None
    assert (container.state, container.run.exit_code, container.stopped_by_user) == (State.EXITED, 143, True)
    assert engine.told() == ["create", "init", "start", "kill", "died", "stop"]
    assert [row.attributes["signal"] for row in engine.records.rows if row.action.value == "kill"] == ["15"]


def test_no_lock_is_held_while_a_process_takes_its_time() -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    engine.started()
    stop = spawn(engine.containers.stop.stop("box"))
    assert engine.container().state is State.STOPPING
    assert engine.locks.held() == ()
    result_of(engine.containers.kill.kill("box", "USR1"))
    engine.clock.advance(10)
    result_of(stop)


def test_the_service_does_not_leave_before_a_stop_has_ended() -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    container = engine.started()
    stop = spawn(engine.containers.stop.stop("box"))
    assert engine.holds.active == [f"stop of container {container.id[:12]}"]
    engine.clock.advance(10)
    result_of(stop)
    assert engine.holds.active == []


def test_the_service_does_not_leave_between_the_stop_and_the_start_of_a_restart() -> None:
    engine = Engine()
    container = engine.started()
    held = engine.gates.hold("runs.create")
    restart = spawn(engine.containers.restart.restart("box"))
    assert engine.container().state is State.EXITED
    assert engine.holds.active == [f"restart of container {container.id[:12]}"]
    held.callback(None)
    result_of(restart)
    assert (engine.container().state, engine.holds.active) == (State.RUNNING, [])


def test_what_ignores_the_signal_is_killed_after_ten_seconds() -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    engine.started()
    process = engine.process()
    stop = spawn(engine.containers.stop.stop("box"))
    engine.clock.advance(9.9)
    assert not stop.called
    engine.clock.advance(0.1)
    result_of(stop)
    assert process.sent == [15, 9]


@pytest.mark.parametrize(("timeout", "sent"), [(0.0, [9]), (3.0, [15, 9])])
def test_the_callers_time_out_wins_over_the_containers(timeout: float, sent: list[int]) -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    options = with_stop(timeout=100)
    engine.started(options)  # type: ignore[arg-type]
    process = engine.process()
    stop = spawn(engine.containers.stop.stop("box", timeout))
    engine.clock.advance(timeout)
    result_of(stop)
    assert process.sent == sent


def test_without_a_time_out_it_waits_for_ever() -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    engine.started()
    stop = spawn(engine.containers.stop.stop("box", None))
    engine.clock.advance(100_000)
    assert not stop.called
    engine.exit(0)
    result_of(stop)


@pytest.mark.parametrize(("asked", "number"), [("SIGINT", 2), ("int", 2), ("1", 1)])
def test_the_containers_own_stop_signal_is_sent(asked: str, number: int) -> None:
    engine = Engine()
    engine.started(with_stop(asked))  # type: ignore[arg-type]
    process = engine.process()
    result_of(engine.containers.stop.stop("box"))
    assert process.sent == [number]


def test_stopping_what_does_not_run_modifies_nothing() -> None:
    engine = Engine()
    engine.create()
    assert isinstance(failure_of(engine.containers.stop.stop("box")), NotModified)
    result_of(engine.containers.start.start("box"))
    engine.exit()
    assert isinstance(failure_of(engine.containers.stop.stop("box")), NotModified)


def test_a_second_stop_can_be_more_impatient() -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    engine.started()
    first = spawn(engine.containers.stop.stop("box", None))
    result_of(engine.containers.stop.stop("box", 0))
    result_of(first)
    assert engine.told().count("died") == 1


def test_a_stop_waits_for_the_start_that_is_under_way() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.create")
    start = spawn(engine.containers.start.start("box"))
    stop = spawn(engine.containers.stop.stop("box"))
    held.callback(None)
    result_of(start)
    result_of(stop)
    assert engine.container().state is State.EXITED


def test_a_stop_of_what_ended_by_itself_in_between_succeeds() -> None:
    engine = Engine()
    engine.started()
    held = engine.gates.hold("runs.stop")
    stop = spawn(engine.containers.stop.stop("box"))
    engine.exit(0)
    held.callback(None)
    result_of(stop)
    assert engine.told() == ["create", "init", "start", "kill", "died", "stop"]


def test_a_stop_that_the_host_refuses_leaves_it_running() -> None:
    engine = Engine()
    engine.started()
    engine.gates.failing["runs.stop"] = HostError("no")
    assert isinstance(failure_of(engine.containers.stop.stop("box")), HostError)
    assert (engine.container().state, engine.container().stopped_by_user) == (State.RUNNING, False)


def test_only_a_request_counts_as_stopped_by_the_user_and_a_start_forgets_it() -> None:
    engine = Engine()
    engine.started()
    engine.exit(1)
    assert not engine.container().stopped_by_user
    result_of(engine.containers.start.start("box"))
    result_of(engine.containers.stop.stop("box"))
    assert engine.container().stopped_by_user
    result_of(engine.containers.start.start("box"))
    assert not engine.container().stopped_by_user


@pytest.mark.parametrize("signal", ["", "KILL", "sigkill", "9"])
def test_kill_waits_for_the_end(signal: str) -> None:
    engine = Engine()
    engine.started()
    result_of(engine.containers.kill.kill("box", signal))
    assert engine.container().state is State.EXITED
    assert engine.told() == ["create", "init", "start", "kill", "died"]
    assert engine.container().stopped_by_user


def test_signal_0_is_refused_and_ends_nothing() -> None:
    engine = Engine()
    engine.started()
    assert isinstance(failure_of(engine.containers.kill.kill("box", "0")), InvalidSignal)
    assert engine.container().state is State.RUNNING


def test_other_signals_are_sent_and_nothing_is_waited_for() -> None:
    engine = Engine()
    engine.started()
    result_of(engine.containers.kill.kill("box", "SIGUSR1"))
    assert engine.process().sent == [10]
    assert engine.container().state is State.RUNNING
    assert engine.last_event().attributes["signal"] == "10"


def test_a_signal_is_an_event_before_the_death_that_it_causes() -> None:
    engine = Engine()
    engine.started()
    result_of(engine.containers.kill.kill("box", "TERM"))
    assert engine.told() == ["create", "init", "start", "kill", "died"]


def test_killing_what_does_not_run_is_a_conflict_in_the_words_of_the_flavour() -> None:
    engine = Engine()
    container = engine.create()
    failure = failure_of(engine.containers.kill.kill("box"))
    assert isinstance(failure, ContainerNotRunning)
    assert Flavour.DOCKER.words(failure) == f"container {container.id} is not running"
    libpod = f"can only kill running containers. {container.id} is in state created: container state improper"
    assert Flavour.LIBPOD.words(failure) == libpod


def test_an_impossible_signal_is_the_clients_fault() -> None:
    engine = Engine()
    engine.started()
    assert isinstance(failure_of(engine.containers.kill.kill("box", "NOPE")), InvalidSignal)
    assert isinstance(failure_of(engine.containers.stop.stop("box", signal="65")), InvalidSignal)


def test_a_process_that_does_not_go_is_said_after_ten_seconds() -> None:
    engine = Engine()
    engine.started()
    engine.gates.hold("runs.stop")
    kill = spawn(engine.containers.kill.kill("box"))
    engine.clock.advance(10)
    failure = failure_of(kill)
    assert isinstance(failure, HostError)
    assert "did not receive an exit event" in failure.subject
    assert engine.locks.held() == ()


def test_a_kill_shortens_a_stop() -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    engine.started()
    stop = spawn(engine.containers.stop.stop("box"))
    result_of(engine.containers.kill.kill("box"))
    result_of(stop)
    assert engine.told() == ["create", "init", "start", "kill", "kill", "died", "stop"]


def test_a_restart_is_told_as_stop_start_and_restart() -> None:
    engine = Engine()
    engine.started()
    result_of(engine.containers.restart.restart("box"))
    assert engine.told() == ["create", "init", "start", "kill", "died", "stop", "init", "start", "restart"]
    assert engine.key().number == 2


def test_a_restart_starts_what_does_not_run() -> None:
    engine = Engine()
    engine.create()
    result_of(engine.containers.restart.restart("box"))
    assert engine.told() == ["create", "init", "start", "restart"]


def test_a_restart_keeps_what_would_remove_itself() -> None:
    engine = Engine()
    engine.started(replace(NO_NETWORK, lifecycle=Lifecycle(auto_remove=True)))
    result_of(engine.containers.restart.restart("box"))
    assert engine.container().state is State.RUNNING
    engine.exit()
    assert engine.told()[-2:] == ["died", "destroy"]


def test_a_restart_that_cannot_start_says_why() -> None:
    engine = Engine()
    engine.started()
    engine.gates.failing["runs.create"] = StartFailed("x", 127)
    assert isinstance(failure_of(engine.containers.restart.restart("box")), StartFailed)
    assert engine.container().state is State.EXITED


def test_a_running_container_is_not_removed_unasked() -> None:
    engine = Engine()
    engine.started()
    failure = failure_of(engine.containers.remove.remove("box"))
    assert isinstance(failure, ContainerRunning)
    assert Flavour.DOCKER.words(failure) == (
        'cannot remove container "/box": container is running: stop the container before removing or force remove'
    )
    container = engine.registry.get("box")
    assert Flavour.LIBPOD.words(failure) == (
        f"cannot remove container {container.id} as it is running -"
        " running or paused containers cannot be removed without force: container state improper"
    )


def test_a_forced_removal_kills_first() -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    container = engine.started()
    result_of(engine.containers.remove.remove("box", force=True))
    assert engine.told() == ["create", "init", "start", "kill", "died", "destroy"]
    assert engine.registry.find(container.id) is None
    assert engine.records.containers == {}
    assert engine.nothing_is_left()


def test_a_forced_removal_of_what_removes_itself_succeeds() -> None:
    engine = Engine()
    engine.started(replace(NO_NETWORK, lifecycle=Lifecycle(auto_remove=True)))
    result_of(engine.containers.remove.remove("box", force=True))
    assert engine.told() == ["create", "init", "start", "kill", "died", "destroy"]


def test_a_forced_removal_during_a_stop_ends_both() -> None:
    engine = Engine()
    engine.machine.deaf_to = DEAF
    engine.started()
    stop = spawn(engine.containers.stop.stop("box"))
    result_of(engine.containers.remove.remove("box", force=True))
    result_of(stop)
    assert engine.told().count("destroy") == 1


def test_of_two_removals_one_finds_nothing() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.forget")
    first, second = (spawn(engine.containers.remove.remove("box")) for _ in range(2))
    held.callback(None)
    result_of(first)
    assert isinstance(failure_of(second), NoSuchContainer)


@pytest.mark.parametrize("step", ["runs.forget", "volumes.set_aside", "commit", "commit done"])
def test_a_removal_that_fails_can_be_asked_again(step: str) -> None:
    engine = Engine()
    options = replace(NO_NETWORK, mounts=Mounts((Mount(MountKind.VOLUME, "/data"),)))
    engine.create(options)
    engine.gates.failing[step] = HostError("no")
    assert isinstance(failure_of(engine.containers.remove.remove("box", volumes=True)), HostError)
    engine.gates.failing.clear()
    result_of(engine.containers.remove.remove("box", volumes=True))
    assert (engine.machine.volumes, engine.records.containers, engine.records.volumes) == (set(), {}, {})
    engine.create(options)


def test_anonymous_volumes_stay_unless_asked_for_and_shared_ones_always() -> None:
    engine = Engine()
    engine.create(replace(NO_NETWORK, mounts=Mounts((Mount(MountKind.VOLUME, "/data"),))), "first")
    (volume,) = engine.container("first").volumes
    engine.create(replace(NO_NETWORK, mounts=Mounts((Mount(MountKind.VOLUME, "/other", source=volume),))), "second")
    result_of(engine.containers.remove.remove("first", volumes=True))
    assert engine.machine.volumes == {volume}
    result_of(engine.containers.remove.remove("second", volumes=True))
    assert engine.machine.volumes == {volume}, "it was a named one to the second"


def test_a_lock_that_stays_taken_answers_instead_of_hanging() -> None:
    engine = Engine()
    engine.create()
    engine.gates.hold("runs.create")
    spawn(engine.containers.start.start("box"))
    stop = spawn(engine.containers.stop.stop("box"))
    (held,) = engine.locks.held()
    assert (held.purpose, held.waiting) == ("start", 1)
    engine.clock.advance(61)
    assert "start" in str(failure_of(stop))


def test_what_removes_itself_is_stopped_before_it_is_destroyed() -> None:
    engine = Engine()
    engine.started(replace(NO_NETWORK, lifecycle=Lifecycle(auto_remove=True)))
    result_of(engine.containers.stop.stop("box"))
    assert engine.told() == ["create", "init", "start", "kill", "died", "stop", "destroy"]
