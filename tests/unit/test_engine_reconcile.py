"""A service that dies anywhere, and the next one over what it left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.model import Container, Run, State
from apiserver.engine.containers.options import ContainerOptions, Lifecycle, Network
from apiserver.engine.containers.options.mounts import Mount, MountKind, Mounts
from apiserver.engine.containers.reconcile import INTERRUPTED
from apiserver.engine.containers.wait import Condition
from apiserver.engine.names import new_id
from apiserver.engine.ports.publish import PortRequest
from apiserver.engine.ports.runs import RunKey
from apiserver.errors import HostError
from tests.fakes.machine import Phase, Process
from tests.support.engine import IMAGE, NO_NETWORK, NOON, TRUE, Engine, result_of, spawn

VOLUME = Mounts((Mount(MountKind.VOLUME, "/data"),))
PUBLISHED = replace(TRUE, network=Network(ports=(PortRequest(80),)), mounts=VOLUME)
ONE_SHOT = replace(PUBLISHED, lifecycle=Lifecycle(auto_remove=True))


def consistent(engine: Engine) -> None:
    """What must hold after every reconcile, wherever the service died."""
    assert engine.locks.held() == ()
    assert max(engine.machine.starts.values(), default=0) <= 1
    living = {key for key, process in engine.machine.runs.items() if process.phase is Phase.RUNNING}
    shown = set()
    for container in engine.registry.all():
        assert engine.records.containers[container.id] == container
        assert container.state in (State.CONFIGURED, State.RUNNING, State.EXITED)
        if container.alive:
            assert container.run is not None
            shown.add(RunKey(container.id, container.run.number))
        elif container.run is not None:
            assert container.run.ended
            assert not container.run.plan
            assert container.run.network is None
    assert set(engine.machine.runs) == living == shown
    assert engine.machine.networks == {(key.container_id, key.number) for key in shown}
    assert engine.machine.files <= {c.id for c in engine.registry.all()}
    died = [row.subject for row in engine.records.rows if row.action.value == "died"]
    assert len(died) == len(set(died)), "one death each"


async def start_and_leave(engine: Engine) -> None:
    await engine.containers.start.start("box")


async def stop(engine: Engine) -> None:
    await engine.containers.start.start("box")
    await engine.containers.stop.stop("box")


async def kill(engine: Engine) -> None:
    await engine.containers.start.start("box")
    await engine.containers.kill.kill("box")


async def remove(engine: Engine) -> None:
    await engine.containers.start.start("box")
    await engine.containers.remove.remove("box", force=True, volumes=True)


async def end_by_itself(engine: Engine) -> None:
    await engine.containers.start.start("box")
    engine.exit(3)


async def exec_in_it(engine: Engine) -> None:
    await engine.containers.start.start("box")
    session = await engine.containers.execs.create("box", ("ls",))
    await engine.containers.execs.start(session.id, detach=True)
    engine.exit(3)


LIVES = [start_and_leave, stop, kill, remove, end_by_itself, exec_in_it]


@pytest.mark.parametrize("options", [PUBLISHED, ONE_SHOT], ids=["kept", "auto-remove"])
@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_wherever_it_dies_the_next_service_makes_it_whole(
    life: Callable[[Engine], object], options: ContainerOptions
) -> None:
    whole = Engine()
    whole.create(options)
    before = len(whole.gates.passed)
    spawn(life(whole))  # type: ignore[arg-type]
    whole.clock.advance(2)
    steps = len(whole.gates.passed) - before
    assert steps > 10
    for step in range(1, steps + 1):
        engine = Engine()
        engine.create(options)
        engine.gates.passed.clear()
        engine.gates.crash_at = step
        spawn(life(engine))  # type: ignore[arg-type]
        engine.clock.advance(2)
        assert engine.gates.crashed, step
        following = engine.next_service()
        reconciled = spawn(following.containers.reconcile.run())
        following.clock.advance(2)
        result_of(reconciled)
        consistent(following)
        # What is still there works: nothing half-made stands in its way.
        for container in following.registry.all():
            removed = spawn(following.containers.remove.remove(container.id, force=True, volumes=True))
            following.clock.advance(2)
            result_of(removed)
        assert following.nothing_is_left()
        assert following.records.containers == {}
        following.create(options)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_wherever_it_dies_a_reboot_is_survived(life: Callable[[Engine], object]) -> None:
    step = 0
    while True:
        step += 1
        engine = Engine()
        engine.create(PUBLISHED)
        result_of(engine.containers.reconcile.run())
        engine.gates.passed.clear()
        engine.gates.crash_at = step
        spawn(life(engine))  # type: ignore[arg-type]
        engine.clock.advance(2)
        if not engine.gates.crashed:
            break
        engine.machine.reboots()
        following = engine.next_service("boot-2")
        reconciled = spawn(following.containers.reconcile.run())
        following.clock.advance(2)
        result_of(reconciled)
        consistent(following)
        assert not any(c.alive for c in following.registry.all())
        assert not any(looked for _, looked in following.runs.discarded), "pids are other processes now"
        assert following.records.settings["boot_id"] == "boot-2"
    assert step > 10


def test_what_runs_goes_on_running_and_its_end_is_noticed() -> None:
    engine = Engine()
    started = engine.started(PUBLISHED)
    following = engine.reconciled()
    assert following.container() == started
    following.exit(12)
    run = following.container().run
    assert run is not None
    assert (following.container().state, run.exit_code) == (State.EXITED, 12)
    assert following.told() == ["create", "init", "start", "died"]


def test_what_ended_meanwhile_has_its_code_its_time_and_one_death() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.machine.service_dies()
    engine.clock.advance(5)
    engine.exit(12)
    ended = engine.machine.now()
    engine.clock.advance(3600)
    following = engine.reconciled()
    run = following.container().run
    assert run is not None
    assert (run.exit_code, run.finished) == (12, ended)
    assert following.told() == ["create", "init", "start", "died"]
    assert following.nothing_is_left()
    again = following.reconciled()
    assert again.told() == ["create", "init", "start", "died"]


def test_a_last_look_settles_what_ended_and_was_not_heard_of() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.machine.watched = set()  # the news does not come, as where the service is about to leave
    engine.exit(12)
    assert engine.container().alive
    result_of(engine.containers.reconcile.last_look())
    run = engine.container().run
    assert run is not None
    assert (engine.container().state, run.exit_code) == (State.EXITED, 12)
    assert engine.nothing_is_left()


def test_what_would_remove_itself_does_so_after_its_service_died() -> None:
    engine = Engine()
    container = engine.started(ONE_SHOT)
    engine.machine.service_dies()
    engine.exit(12)
    following = engine.reconciled()
    assert following.records.containers == {}
    assert (following.machine.volumes, following.machine.files) == (set(), set())
    assert result_of(following.containers.wait.watch(container.id, Condition.REMOVED)).code == 12


def test_an_end_that_nobody_recorded_is_unknown_and_never_running() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.machine.service_dies()
    engine.machine.runs.clear()
    following = engine.reconciled()
    run = following.container().run
    assert run is not None
    assert (following.container().state, run.exit_code) == (State.EXITED, None)
    assert "runs.end" not in following.gates.passed, "nobody could tell: it is not waited for"
    assert following.nothing_is_left()


def test_after_a_reboot_every_run_has_ended_with_an_unknown_code() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    result_of(engine.containers.reconcile.run())
    engine.machine.reboots()
    following = engine.reconciled("boot-2")
    run = following.container().run
    assert run is not None
    assert (following.container().state, run.exit_code) == (State.EXITED, None)
    assert following.runs.surveys == 0
    result_of(following.containers.start.start("box"))
    assert following.container().state is State.RUNNING


def test_a_start_that_was_not_recorded_did_not_happen() -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.hold("runs.start done")
    spawn(engine.containers.start.start("box"))
    following = engine.reconciled()
    container = following.container()
    assert container.run is not None
    assert (container.state, container.run.error) == (State.CONFIGURED, INTERRUPTED)
    assert following.machine.runs == {}
    result_of(following.containers.start.start("box"))
    assert following.key().number == 2
    assert list(following.machine.starts.values()) == [1, 1]


def test_a_start_that_was_not_recorded_leaves_known_how_the_run_before_ended() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.exit(3)
    before = engine.container().run
    assert before is not None
    engine.clock.advance(60)
    engine.gates.hold("runs.create")
    spawn(engine.containers.start.start("box"))
    following = engine.reconciled()
    container = following.container()
    assert (container.state, container.run) == (State.EXITED, replace(before, number=2, error=INTERRUPTED))


def test_a_stop_that_died_with_its_service_leaves_it_running() -> None:
    engine = Engine()
    engine.machine.deaf_to = frozenset({15})
    engine.started()
    spawn(engine.containers.stop.stop("box"))
    assert engine.container().state is State.STOPPING
    following = engine.reconciled()
    assert following.container().state is State.RUNNING
    assert following.container().stopped_by_user


@pytest.mark.parametrize(
    ("recorded", "found", "then"),
    [
        (State.RUNNING, Phase.PAUSED, State.PAUSED),
        (State.PAUSED, Phase.RUNNING, State.RUNNING),
        (State.STOPPING, Phase.PAUSED, State.PAUSED),
    ],
)
def test_a_pause_is_what_the_runtime_says(recorded: State, found: Phase, then: State) -> None:
    engine = Engine()
    container = engine.started()
    engine.records.containers[container.id] = replace(container, state=recorded)
    engine.process().phase = found
    assert engine.reconciled().container().state is then


def test_a_removal_that_has_begun_is_finished_as_it_was_asked() -> None:
    for volumes, left in ((True, 0), (False, 1)):
        engine = Engine()
        engine.create(PUBLISHED)
        engine.gates.hold("runs.forget")
        spawn(engine.containers.remove.remove("box", volumes=volumes))
        following = engine.reconciled()
        assert following.records.containers == {}
        assert len(following.machine.volumes) == left


def test_what_one_container_cannot_do_does_not_stop_the_others() -> None:
    engine = Engine()
    for name in ("one", "two"):
        engine.started(NO_NETWORK, name)
    engine.machine.service_dies()
    for name in ("one", "two"):
        engine.exit(1, name)
    following = engine.next_service()
    following.gates.failing["runs.discard"] = HostError("busy")
    result_of(following.containers.reconcile.run())
    assert {c.state for c in following.registry.all()} == {State.STOPPED}
    result_of(following.reconciled().containers.reconcile.run())


def test_files_of_nobody_are_deleted() -> None:
    engine = Engine()
    container = engine.started()
    engine.machine.files.add("e" * 64)
    following = engine.reconciled()
    assert following.machine.files == {container.id}


def test_of_a_thousand_containers_at_rest_and_a_thousand_running_nothing_is_written_again() -> None:
    engine = Engine()
    for number in range(2000):
        run = Run(1, ended=True, exit_code=0)
        state = State.EXITED
        if number % 2:
            run = Run(1, {"container": (identifier := new_id()), "run": 1}, started=NOON)
            state = State.RUNNING
        else:
            identifier = new_id()
        created = NOON + timedelta(seconds=number)
        container = Container(identifier, f"c{number}", created, IMAGE, "busybox", TRUE, state, run, "crun")
        engine.records.containers[identifier] = container
        if state is State.RUNNING:
            engine.machine.runs[RunKey(identifier, 1)] = Process(Phase.RUNNING)
    commits = engine.records.commits
    following = engine.reconciled()
    assert following.records.commits - commits <= 1
    assert len(following.machine.watched) == 1000


def test_a_start_that_finds_containers_running_sees_that_somebody_watches_them() -> None:
    engine = Engine()
    engine.started()
    result_of(engine.next_service().containers.reconcile.run())
    assert engine.machine.guarded
    engine.machine.guarded = False
    engine.exit(0)
    result_of(engine.next_service().containers.reconcile.run())
    assert not engine.machine.guarded
