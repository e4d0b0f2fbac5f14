"""Exec sessions: once each, with their code, and ended with their container."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from apiserver.engine.containers.failures import ContainerNotRunning, ContainerPaused, ExecStarted
from apiserver.engine.containers.model import ExecSession, State
from apiserver.engine.ports.runs import RunEnd, StartFailed
from apiserver.engine.ports.streams import ProcessStreams, Stream
from apiserver.errors import Conflict, HostError, InvalidParameter, NoSuchContainer, NoSuchExec
from apiserver.http.flavour import Flavour
from tests.support.engine import Engine, failure_of, result_of, spawn


def create(engine: Engine, *argv: str, **options: bool | str) -> ExecSession:
    session = engine.containers.execs.create(
        "box",
        argv or ("ls", "-l"),
        attach_stdout=True,
        attach_stderr=True,
        **options,  # type: ignore[arg-type]
    )
    return result_of(session)


def start(engine: Engine, session: ExecSession) -> ProcessStreams:
    streams = result_of(engine.containers.execs.start(session.id))
    assert streams is not None
    return streams


def end(engine: Engine, session: ExecSession, code: int | None) -> None:
    engine.machine.execs[session.id].finish(RunEnd(code, engine.machine.now()))


def test_an_exec_runs_says_what_it_says_and_has_its_code() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    streams = start(engine, session)
    assert engine.containers.execs.get(session.id).running
    engine.machine.execs[session.id].say(b"out")
    assert result_of(streams.read()) == (Stream.STDOUT, b"out")
    end(engine, session, 3)
    assert result_of(streams.read()) is None
    ended = engine.containers.execs.get(session.id)
    assert (ended.running, ended.exit_code, ended.finished, ended.plan) == (False, 3, engine.machine.now(), {})
    assert engine.told() == ["create", "init", "start", "exec_create", "exec_start", "exec_died"]
    assert engine.last_event().attributes["exitCode"] == "3"
    assert engine.last_event().attributes["execID"] == session.id
    assert engine.records.rows[3].attributes["command"] == "ls -l"
    assert engine.records.execs[session.id] == ended
    assert engine.machine.execs == {}


def test_the_streams_end_after_the_code_is_there() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    streams = start(engine, session)
    read = spawn(streams.read())
    held = engine.gates.hold("commit")
    end(engine, session, 3)
    assert not read.called
    held.callback(None)
    assert result_of(read) is None
    assert engine.containers.execs.get(session.id).exit_code == 3


def test_what_is_to_be_made_is_recorded_first() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    engine.gates.hold("streams.start_exec")
    spawn(engine.containers.execs.start(session.id))
    assert engine.records.execs[session.id].plan == {"exec": session.id}


def test_a_session_runs_once() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    start(engine, session)
    assert isinstance(failure_of(engine.containers.execs.start(session.id)), ExecStarted)
    end(engine, session, 0)
    assert isinstance(failure_of(engine.containers.execs.start(session.id)), Conflict)


def test_two_starts_at_once_make_one_process() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    held = engine.gates.hold("streams.start_exec")
    first, second = (spawn(engine.containers.execs.start(session.id)) for _ in range(2))
    held.callback(None)
    result_of(first)
    assert isinstance(failure_of(second), ExecStarted)


@pytest.mark.parametrize("code", [126, 127])
@pytest.mark.parametrize("detach", [False, True])
def test_a_session_whose_program_cannot_be_run_has_the_code_that_tells_why(code: int, detach: bool) -> None:
    engine = Engine()
    engine.started()
    session = create(engine, "nope")
    engine.gates.failing["streams.start_exec"] = StartFailed('exec: "nope": executable file not found in $PATH', code)
    assert isinstance(failure_of(engine.containers.execs.start(session.id, detach=detach)), StartFailed)
    ended = engine.containers.execs.get(session.id)
    assert (ended.running, ended.exit_code) == (False, code)


def test_a_running_session_is_removed_only_by_force_and_killed() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    streams = start(engine, session)
    assert isinstance(failure_of(engine.containers.execs.remove(session.id)), ExecStarted)
    read = spawn(streams.read())
    result_of(engine.containers.execs.remove(session.id, force=True))
    assert result_of(read) is None
    assert isinstance(failure_of(engine.containers.execs.remove(session.id)), NoSuchExec)
    assert (engine.records.execs, engine.machine.execs) == ({}, {})
    assert engine.last_event().attributes["exitCode"] == "137"


def test_a_session_that_has_not_run_or_has_ended_is_removed_at_once() -> None:
    engine = Engine()
    engine.started()
    fresh, ended = create(engine), create(engine)
    start(engine, ended)
    end(engine, ended, 0)
    for session in (fresh, ended):
        result_of(engine.containers.execs.remove(session.id))
    assert engine.records.execs == {}


def test_a_host_that_fails_ends_the_session() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    engine.gates.failing["streams.start_exec done"] = HostError("no")
    assert isinstance(failure_of(engine.containers.execs.start(session.id)), HostError)
    assert engine.containers.execs.get(session.id).finished is not None
    assert engine.machine.execs == {}
    assert engine.locks.held() == ()


def test_the_end_of_a_session_is_told_in_its_turn_however_long_its_files_take() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    start(engine, session)
    held = engine.gates.hold("streams.discard_exec")
    end(engine, session, 0)
    engine.clock.advance(1)
    engine.started(name="other")
    engine.clock.advance(1)
    held.callback(None)
    times = [row.time for row in engine.records.rows]
    assert engine.told()[-1] == "exec_died"
    assert times == sorted(times)


def test_a_session_ends_for_its_client_though_its_files_cannot_be_deleted() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    streams = start(engine, session)
    engine.gates.failing["streams.discard_exec"] = HostError("a mount point")
    end(engine, session, 3)
    assert result_of(streams.read()) is None
    assert engine.containers.execs.get(session.id).exit_code == 3


def test_a_detached_one_has_no_streams_and_its_code_all_the_same() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    assert result_of(engine.containers.execs.start(session.id, detach=True)) is None
    end(engine, session, 9)
    assert engine.containers.execs.get(session.id).exit_code == 9


def test_an_exec_needs_a_running_container() -> None:
    engine = Engine()
    container = engine.create()
    refused = failure_of(engine.containers.execs.create("box", ("ls",)))
    assert isinstance(refused, ContainerNotRunning)
    assert Flavour.DOCKER.words(refused) == f"container {container.id} is not running"
    libpod = "can only create exec sessions on running containers: container state improper"
    assert Flavour.LIBPOD.words(refused) == libpod
    result_of(engine.containers.start.start("box"))
    session = create(engine)
    running = engine.registry.by_id(container.id)
    engine.registry.put(running.become(State.PAUSED))
    assert isinstance(failure_of(engine.containers.execs.create("box", ("ls",))), ContainerPaused)
    assert isinstance(failure_of(engine.containers.execs.start(session.id)), ContainerPaused)
    engine.registry.put(running)
    engine.exit()
    assert isinstance(failure_of(engine.containers.execs.start(session.id)), ContainerNotRunning)


def test_a_session_of_an_earlier_run_is_not_started_in_the_next_one() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    engine.exit()
    result_of(engine.containers.start.start("box"))
    assert isinstance(failure_of(engine.containers.execs.start(session.id)), Conflict)


def test_a_containers_end_ends_its_sessions() -> None:
    engine = Engine()
    engine.started()
    session, unstarted = create(engine), create(engine)
    streams = start(engine, session)
    read = spawn(streams.read())
    engine.exit(0)
    engine.clock.advance(1)
    assert result_of(read) is None
    ended = engine.containers.execs.get(session.id)
    assert (ended.running, ended.exit_code) == (False, 137)
    assert engine.containers.execs.get(unstarted.id).finished is not None
    assert engine.told().count("exec_died") == 1
    assert engine.container().state is State.EXITED
    assert engine.machine.execs == {}


def test_a_code_that_is_recorded_in_time_is_kept_when_the_container_ends() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    start(engine, session)
    engine.gates.hold("runs.end")
    engine.exit(0)
    end(engine, session, 5)
    engine.gates.held["runs.end"].callback(None)
    assert engine.containers.execs.get(session.id).exit_code == 5


def test_nobody_is_locked_out_while_a_container_waits_for_the_code_of_its_exec() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    start(engine, session)
    engine.exit(3)  # the exec says nothing
    assert engine.locks.held() == ()
    assert engine.container().state is State.RUNNING
    engine.clock.advance(1)
    assert engine.container().state is State.EXITED
    assert engine.containers.execs.get(session.id).exit_code == 137


def test_an_ended_session_is_known_for_five_minutes_also_to_the_next_service() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    start(engine, session)
    end(engine, session, 5)
    engine.clock.advance(299)
    following = engine.reconciled()
    assert following.containers.execs.get(session.id).exit_code == 5
    engine.clock.advance(1)
    for one in (engine, following):
        with pytest.raises(NoSuchExec):
            one.containers.execs.get(session.id)
    create(following)
    assert session.id not in following.records.execs


def test_a_session_that_runs_on_is_watched_by_the_next_service() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    start(engine, session)
    following = engine.reconciled()
    assert following.containers.execs.get(session.id).running
    end(following, session, 6)
    ended = following.containers.execs.get(session.id)
    assert (ended.running, ended.exit_code) == (False, 6)


def test_a_session_does_not_outlive_a_container_that_ended_while_nobody_looked() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    start(engine, session)
    engine.machine.service_dies()
    engine.exit(0)
    end(engine, session, 4)
    following = engine.reconciled()
    ended = following.containers.execs.get(session.id)
    assert (ended.running, ended.exit_code) == (False, 4)


def test_a_removed_container_has_no_sessions() -> None:
    engine = Engine()
    engine.started()
    session = create(engine)
    result_of(engine.containers.remove.remove("box", force=True))
    with pytest.raises(NoSuchExec):
        engine.containers.execs.get(session.id)
    assert engine.records.execs == {}


def test_a_session_is_not_made_in_a_container_that_is_removed_meanwhile() -> None:
    engine = Engine()
    container = engine.started()
    queue: list[Deferred[None]] = []
    engine.gates.queue = queue
    made = spawn(engine.containers.execs.create("box", ("true",)))
    (waiting,) = queue
    removal = spawn(engine.containers.remove.remove("box", force=True))
    while others := [each for each in queue if each is not waiting]:
        queue.remove(others[0])
        others[0].callback(None)
    result_of(removal)
    engine.gates.queue = None
    queue.remove(waiting)
    waiting.callback(None)
    assert isinstance(failure_of(made), NoSuchContainer)
    assert engine.records.execs == {}
    assert engine.containers.execs.of(container.id) == ()


def test_input_goes_to_the_process_where_asked() -> None:
    engine = Engine()
    engine.started()
    session = create(engine, attach_stdin=True)
    streams = start(engine, session)
    result_of(streams.write(b"x"))
    streams.close_write()
    process = engine.machine.execs[session.id]
    assert (process.heard, process.closed) == (b"x", True)


def test_a_terminal_is_resized_while_it_runs() -> None:
    engine = Engine()
    engine.started()
    session = create(engine, terminal=True)
    assert isinstance(failure_of(engine.containers.execs.resize(session.id, 1, 2)), Conflict)
    start(engine, session)
    result_of(engine.containers.execs.resize(session.id, 24, 80))
    assert engine.machine.execs[session.id].size == (24, 80)
    end(engine, session, 0)
    assert isinstance(failure_of(engine.containers.execs.resize(session.id, 1, 2)), Conflict)


@pytest.mark.parametrize(
    "options",
    [
        {"user": "4294967296"},
        {"user": "-1"},
        {"user": "0x0"},
        {"user": "root\n"},
        {"working_dir": "tmp"},
        {"working_dir": "/proc/self/fd/7"},
        {"env": ("=x",)},
        {"env": ("A=\0",)},
    ],
)
def test_what_cannot_be_is_refused_at_create(options: dict[str, str]) -> None:
    engine = Engine()
    engine.started()
    failure = failure_of(engine.containers.execs.create("box", ("ls",), **options))  # type: ignore[arg-type]
    assert isinstance(failure, InvalidParameter)


def test_an_exec_without_a_command_is_refused() -> None:
    engine = Engine()
    engine.started()
    assert "No exec command specified" in str(failure_of(engine.containers.execs.create("box", ())))


def test_the_sessions_of_a_container_that_have_not_ended_are_listed() -> None:
    engine = Engine()
    container = engine.started()
    first, second = create(engine), create(engine)
    start(engine, first)
    end(engine, first, 0)
    assert [s.id for s in engine.containers.execs.of(container.id)] == [second.id]


def test_a_session_without_arguments_is_told_with_dockers_blank() -> None:
    engine = Engine()
    engine.started()
    result_of(engine.containers.execs.create("box", ("true",)))
    assert engine.last_event().attributes["command"] == "true "
