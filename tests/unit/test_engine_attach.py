"""Attaching before, during and after a run: no byte lost, and nothing kept for who leaves."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from apiserver.engine.containers.failures import ContainerNotRunning, ContainerPaused, MarkedForRemoval
from apiserver.engine.containers.logs import LogsNotReadable
from apiserver.engine.containers.model import State
from apiserver.engine.containers.options import ContainerOptions, Logging, Process
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.ports.logs import LogRecord
from apiserver.engine.ports.runs import StartFailed
from apiserver.engine.ports.streams import ProcessStreams, Stream
from apiserver.errors import HostError, InvalidParameter
from tests.support.engine import NO_NETWORK, NOON, Engine, failure_of, result_of, spawn

INTERACTIVE = replace(NO_NETWORK, process=Process(command=("cat",), stdin_open=True, stdin_once=True))


def attach(engine: Engine, **wanted: bool) -> ProcessStreams:
    return result_of(engine.containers.attach.attach("box", **(wanted or {"stdout": True, "stderr": True})))


def record(data: bytes, stream: Stream = Stream.STDOUT, *, partial: bool = False) -> LogRecord:
    return LogRecord(NOON, 0, stream, data, partial)


def test_who_attaches_before_the_start_is_connected_before_the_process_runs() -> None:
    engine = Engine()
    engine.create()
    streams = attach(engine)
    read = spawn(streams.read())
    held = engine.gates.hold("runs.start")
    start = spawn(engine.containers.start.start("box"))
    engine.process().say(b"first")
    held.callback(None)
    result_of(start)
    assert result_of(read) == (Stream.STDOUT, b"first")
    engine.exit()
    assert result_of(streams.read()) is None


@pytest.mark.parametrize("starts_first", [True, False])
def test_an_attach_that_wants_no_stream_ends_at_once(starts_first: bool) -> None:
    engine = Engine()
    engine.create()
    if starts_first:
        result_of(engine.containers.start.start("box"))
    assert result_of(attach(engine, stream=True).read()) is None
    assert engine.told()[-1] == "attach"


def test_what_is_sent_before_the_start_arrives_in_order_and_so_does_its_end() -> None:
    engine = Engine()
    engine.create(INTERACTIVE)
    streams = attach(engine, stdin=True, stdout=True)
    written = spawn(streams.write(b"hello"))
    assert not written.called, "it is held back, not kept"
    held = engine.gates.hold("runs.start")
    spawn(engine.containers.start.start("box"))
    result_of(written)
    streams.close_write()
    assert (engine.process().heard, engine.process().closed) == (b"hello", True)
    held.callback(None)


def test_an_end_of_input_before_the_start_is_remembered() -> None:
    engine = Engine()
    engine.create(INTERACTIVE)
    attach(engine, stdin=True).close_write()
    result_of(engine.containers.start.start("box"))
    assert engine.process().closed


def test_who_leaves_before_the_start_leaves_nothing() -> None:
    engine = Engine()
    engine.create(INTERACTIVE)
    streams = attach(engine, stdin=True, stdout=True)
    read = spawn(streams.read())
    streams.close()
    assert result_of(read) is None
    result_of(engine.containers.start.start("box"))
    assert engine.process().attached == []
    assert "streams.attach" not in engine.gates.passed


def test_who_leaves_while_it_is_being_connected_is_not_kept() -> None:
    engine = Engine()
    engine.create()
    streams = attach(engine)
    held = engine.gates.hold("streams.attach")
    start = spawn(engine.containers.start.start("box"))
    streams.close()
    held.callback(None)
    result_of(start)
    assert engine.process().attached == []


def test_who_attaches_between_create_and_the_record_of_the_start_is_connected_too() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.start")
    start = spawn(engine.containers.start.start("box"))
    streams = attach(engine)
    engine.process().say(b"x")
    held.callback(None)
    result_of(start)
    assert result_of(streams.read()) == (Stream.STDOUT, b"x")


@pytest.mark.parametrize("step", ["runs.create", "runs.start", "streams.attach"])
def test_a_failed_start_ends_the_streams_of_who_waits(step: str) -> None:
    engine = Engine()
    engine.create()
    read = spawn(attach(engine).read())
    engine.gates.failing[step] = StartFailed("no", 127)
    failure_of(engine.containers.start.start("box"))
    assert result_of(read) is None


def test_a_removal_ends_the_streams_of_who_waits() -> None:
    engine = Engine()
    engine.create()
    read = spawn(attach(engine).read())
    result_of(engine.containers.remove.remove("box"))
    assert result_of(read) is None


def test_two_clients_each_get_all() -> None:
    engine = Engine()
    engine.started()
    first, second = attach(engine), attach(engine)
    engine.process().say(b"x")
    assert [result_of(s.read()) for s in (first, second)] == [(Stream.STDOUT, b"x")] * 2


def test_only_wanted_streams_come_and_unwanted_input_goes_nowhere() -> None:
    engine = Engine()
    engine.started(INTERACTIVE)
    streams = attach(engine, stderr=True)
    engine.process().say(b"out")
    engine.process().say(b"err", Stream.STDERR)
    assert result_of(streams.read()) == (Stream.STDERR, b"err")
    result_of(streams.write(b"x"))
    streams.close_write()
    assert (engine.process().heard, engine.process().closed) == (b"", False)


@pytest.mark.parametrize(("once", "closed"), [(True, True), (False, False)])
def test_standard_input_ends_with_its_client_where_it_is_for_one_alone(once: bool, closed: bool) -> None:
    engine = Engine()
    engine.started(replace(INTERACTIVE, process=replace(INTERACTIVE.process, stdin_once=once)))
    streams = attach(engine, stdin=True)
    process = engine.process()
    streams.close()
    streams.close()
    assert process.closed is closed
    assert process.attached == []


def test_the_log_comes_first_and_then_what_is_said_now() -> None:
    engine = Engine()
    container = engine.started()
    engine.logs.put(container.id, record(b"old"), record(b"err", Stream.STDERR), record(b"half", partial=True))
    streams = attach(engine, stdout=True, logs=True, stream=True)
    engine.process().say(b"new")
    said = [result_of(streams.read()) for _ in range(3)]
    assert said == [(Stream.STDOUT, b"old\n"), (Stream.STDOUT, b"half"), (Stream.STDOUT, b"new")]


def test_a_terminals_log_gets_its_carriage_returns_back() -> None:
    engine = Engine()
    container = engine.started(replace(NO_NETWORK, process=Process(command=("sh",), terminal=True)))
    engine.logs.put(container.id, record(b"old"))
    assert result_of(attach(engine, stdout=True, logs=True).read()) == (Stream.STDOUT, b"old\r\n")


def test_the_log_alone_ends_after_it() -> None:
    engine = Engine()
    container = engine.started()
    engine.logs.put(container.id, record(b"old"))
    streams = attach(engine, stdout=True, logs=True, stream=False)
    assert [result_of(streams.read()) for _ in range(2)] == [(Stream.STDOUT, b"old\n"), None]
    assert engine.process().attached == []


def test_leaving_in_the_middle_of_the_log_closes_it() -> None:
    engine = Engine()
    container = engine.started()
    engine.logs.put(container.id, record(b"1"), record(b"2"))
    streams = attach(engine, stdout=True, logs=True)
    result_of(streams.read())
    assert engine.logs.open == 1
    streams.close()
    assert engine.logs.open == 0
    assert result_of(streams.read()) is None


def test_what_cannot_be_attached_to_is_a_conflict() -> None:
    engine = Engine()
    container = engine.started()
    engine.registry.put(container.become(State.PAUSED))
    assert isinstance(failure_of(engine.containers.attach.attach("box")), ContainerPaused)
    engine.registry.put(replace(container, state=State.REMOVING))
    assert isinstance(failure_of(engine.containers.attach.attach("box")), MarkedForRemoval)


def test_attaching_to_what_has_just_ended_is_a_conflict_and_leaves_nothing() -> None:
    engine = Engine()
    engine.started()
    engine.gates.hold("runs.end")
    engine.exit()
    assert isinstance(failure_of(engine.containers.attach.attach("box", stdout=True)), ContainerNotRunning)


def test_an_attach_is_an_event_that_nobody_waits_for() -> None:
    engine = Engine()
    engine.create()
    engine.gates.hold("commit")
    attach(engine)
    engine.gates.held["commit"].callback(None)
    assert engine.told() == ["create", "attach"]


def test_a_reader_who_is_cancelled_can_read_again() -> None:
    engine = Engine()
    engine.create()
    streams = attach(engine)
    read: Deferred[object] = spawn(streams.read())
    read.addErrback(lambda _: None)
    read.cancel()
    result_of(engine.containers.start.start("box"))
    engine.process().say(b"x")
    assert result_of(streams.read()) == (Stream.STDOUT, b"x")


TERMINAL = replace(NO_NETWORK, process=Process(command=("sh",), terminal=True))


def test_the_terminal_of_a_client_that_waits_has_its_size_before_the_program_runs() -> None:
    engine = Engine()
    engine.create(TERMINAL)
    attach(engine)
    result_of(engine.containers.resize.resize("box", 24, 80))
    held = engine.gates.hold("runs.start")
    start = spawn(engine.containers.start.start("box"))
    assert engine.process().size == (24, 80)
    result_of(engine.containers.resize.resize("box", 25, 81))
    assert engine.process().size == (25, 81)
    held.callback(None)
    result_of(start)


def test_the_size_of_a_client_that_left_is_forgotten() -> None:
    engine = Engine()
    engine.create(TERMINAL)
    streams = attach(engine)
    result_of(engine.containers.resize.resize("box", 24, 80))
    streams.close()
    assert isinstance(failure_of(engine.containers.resize.resize("box", 24, 80)), ContainerNotRunning)
    result_of(engine.containers.start.start("box"))
    assert engine.process().size != (24, 80)


def test_what_has_no_terminal_has_no_size_before_it_runs() -> None:
    engine = Engine()
    engine.create()
    attach(engine)
    assert isinstance(failure_of(engine.containers.resize.resize("box", 24, 80)), ContainerNotRunning)


def test_a_terminal_is_resized_while_it_runs_and_not_else() -> None:
    engine = Engine()
    engine.create()
    assert isinstance(failure_of(engine.containers.resize.resize("box", 24, 80)), ContainerNotRunning)
    result_of(engine.containers.start.start("box"))
    result_of(engine.containers.resize.resize("box", 24, 80))
    assert engine.process().size == (24, 80)
    assert engine.last_event().attributes["height"] == "24"
    assert isinstance(failure_of(engine.containers.resize.resize("box", 70_000, 1)), InvalidParameter)


# logs


async def all_of(engine: Engine, **options: object) -> list[bytes]:
    batches = engine.containers.logs.read("box", **options)  # type: ignore[arg-type]
    return [record.data async for records in batches for record in records]


def test_a_log_has_the_wanted_streams_in_order() -> None:
    engine = Engine()
    container = engine.started()
    engine.logs.put(container.id, record(b"1"), record(b"2", Stream.STDERR), record(b"3"))
    assert result_of(all_of(engine)) == [b"1", b"2", b"3"]
    assert result_of(all_of(engine, stdout=False)) == [b"2"]
    assert result_of(all_of(engine, tail=1)) == [b"3"]


def test_a_follower_ends_with_the_container_and_has_all_of_it() -> None:
    engine = Engine()
    container = engine.started()
    following = spawn(all_of(engine, follow=True))
    engine.logs.put(container.id, record(b"1"))
    assert not following.called
    engine.exit()
    assert result_of(following) == [b"1"]
    assert result_of(all_of(engine, follow=True)) == [b"1"], "one who comes later does not wait"


def test_a_container_that_keeps_no_log_says_so_at_once() -> None:
    engine = Engine()
    engine.create(replace(NO_NETWORK, logging=Logging(LogDriver.NONE)))
    with pytest.raises(LogsNotReadable, match="for Container 'box': this container is using the 'none' log driver"):
        engine.containers.logs.read("box")
    assert isinstance(failure_of(engine.containers.attach.attach("box", logs=True)), LogsNotReadable)


def test_a_failing_back_end_does_not_keep_an_attach() -> None:
    engine = Engine()
    engine.started(ContainerOptions(process=Process(command=("true",)), network=NO_NETWORK.network))
    engine.gates.failing["streams.attach"] = HostError("no")
    assert isinstance(failure_of(engine.containers.attach.attach("box", stdout=True)), HostError)


def test_who_attaches_after_a_run_waits_for_the_next_one() -> None:
    engine = Engine()
    engine.started()
    engine.exit()
    streams = attach(engine)
    read = spawn(streams.read())
    assert not read.called
    result_of(engine.containers.start.start("box"))
    engine.process().say(b"second")
    assert result_of(read) == (Stream.STDOUT, b"second")
