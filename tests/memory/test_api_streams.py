from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import pytest
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from apiserver.engine.events.model import Action
from apiserver.engine.ports.logs import LogRecord
from apiserver.engine.ports.runs import RunEnd
from apiserver.engine.ports.streams import Stream
from tests.support.api import Api
from tests.support.engine import NOON
from tests.support.http_memory import MemoryConnection

PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
RAW = "application/vnd.docker.raw-stream"


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def create(api: Api, name: str = "box", **body: Any) -> str:
    return str(api.post("/containers/create", PLAIN | body, name=name).json()["Id"])


def start(api: Api, name: str = "box", **body: Any) -> str:
    container_id = create(api, name, **body)
    assert api.post(f"/containers/{name}/start").status == 204
    return container_id


def attach(api: Api, version: str = "", **query: Any) -> MemoryConnection:
    query = {"stream": 1, "stdin": 1, "stdout": 1, "stderr": 1, "headers": UPGRADE} | query
    return api.open("POST", f"{version}/containers/box/attach", **query)


def test_an_upgrade_is_101_with_the_clients_token_and_no_length(api: Api) -> None:
    start(api)
    answer = attach(api).answer
    assert (answer.status, answer.headers["upgrade"], answer.headers["connection"]) == (101, "tcp", "Upgrade")
    assert {"content-length", "transfer-encoding"}.isdisjoint(answer.headers)
    assert answer.headers["content-type"] == MULTIPLEXED


def test_without_an_upgrade_it_is_200_and_raw_by_name(api: Api) -> None:
    start(api)
    answer = attach(api, headers={}).answer
    assert (answer.status, answer.headers["content-type"]) == (200, RAW)
    assert {"content-length", "transfer-encoding", "upgrade"}.isdisjoint(answer.headers)


def test_below_1_42_the_type_is_raw_even_where_it_is_framed(api: Api) -> None:
    start(api)
    connection = attach(api, "/v1.41")
    api.engine.process().say(b"hi\n")
    assert connection.answer.headers["content-type"] == RAW
    assert connection.answer.body == b"\x01\0\0\0\0\0\0\x03hi\n"


def test_output_is_framed_and_the_end_closes_the_connection(api: Api) -> None:
    start(api)
    connection = attach(api)
    api.engine.process().say(b"out")
    api.engine.process().say(b"err", Stream.STDERR)
    assert connection.answer.body == b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err"
    assert not connection.closed
    api.engine.exit()
    assert connection.closed


def test_a_terminals_output_is_raw(api: Api) -> None:
    start(api, Tty=True, OpenStdin=True)
    connection = attach(api)
    api.engine.process().say(b"$ ")
    assert (connection.answer.headers["content-type"], connection.answer.body) == (RAW, b"$ ")


def test_the_clients_end_of_input_ends_standard_input_alone(api: Api) -> None:
    start(api, OpenStdin=True, StdinOnce=True)
    connection = attach(api)
    connection.send(b"in")
    connection.shut_down()
    process = api.engine.process()
    assert (process.heard, process.closed) == (b"in", True)
    process.say(b"still")
    assert connection.answer.body.endswith(b"still")


def test_the_detach_keys_leave_and_the_container_runs_on(api: Api) -> None:
    start(api, Tty=True, OpenStdin=True)
    connection = attach(api)
    connection.send(b"ls\x10")
    connection.send(b"\x11exit")
    assert connection.closed
    assert api.engine.process().heard == b"ls"
    assert api.get("/containers/box/json").json()["State"]["Running"]
    assert [row.action for row in api.engine.records.rows[-2:]] == [Action.ATTACH, Action.DETACH]


def test_other_detach_keys_can_be_asked_for(api: Api) -> None:
    start(api, Tty=True, OpenStdin=True)
    connection = attach(api, detachKeys="ctrl-a,d")
    connection.send(b"\x10\x11\x01d")
    assert connection.closed
    assert api.engine.process().heard == b"\x10\x11"
    answer = attach(api, detachKeys="nonsense").answer
    assert answer.status == 400


def test_an_attach_with_logs_begins_with_them_and_goes_on(api: Api) -> None:
    container_id = start(api)
    api.engine.logs.put(container_id, line(b"before"))
    connection = attach(api, logs=1)
    api.engine.process().say(b"after")
    assert connection.answer.body == b"\x01\0\0\0\0\0\0\x07before\n\x01\0\0\0\0\0\0\x05after"
    ended = attach(api, logs=1, stream=0)
    assert ended.answer.body == b"\x01\0\0\0\0\0\0\x07before\n"
    assert ended.closed


def test_a_terminals_replayed_lines_end_in_one_carriage_return(api: Api) -> None:
    container_id = start(api, Tty=True)
    api.engine.logs.put(container_id, line(b"kept\r"), line(b"dropped"), line(b"part", partial=True))
    assert attach(api, logs=1).answer.body == b"kept\r\ndropped\r\npart"


def test_without_a_terminal_no_keys_detach(api: Api) -> None:
    start(api, OpenStdin=True)
    connection = attach(api)
    connection.send(b"\x10\x11")
    assert not connection.closed
    assert api.engine.process().heard == b"\x10\x11"


def test_an_attach_before_the_start_loses_nothing(api: Api) -> None:
    create(api, OpenStdin=True)
    connection = attach(api)
    assert connection.answer.status == 101
    connection.send(b"early")
    api.post("/containers/box/start")
    process = api.engine.process()
    process.say(b"hello")
    assert process.heard == b"early"
    assert connection.answer.body.endswith(b"hello")


def test_a_client_that_hangs_up_leaves_no_stream_behind(api: Api) -> None:
    start(api)
    connection = attach(api)
    assert len(api.engine.process().attached) == 1
    connection.hang_up()
    assert api.engine.process().attached == []


def test_a_client_that_leaves_an_attach_is_no_error_in_the_log(api: Api) -> None:
    create(api)
    logged: list[LogEvent] = []
    globalLogPublisher.addObserver(logged.append)  # type: ignore[arg-type]  # a callable is enough
    try:
        for started in (False, True):
            if started:
                assert api.post("/containers/box/start").status == 204
            connection = attach(api)
            connection.hang_up()
    finally:
        globalLogPublisher.removeObserver(logged.append)  # type: ignore[arg-type]
    assert [event for event in logged if event["log_level"] >= LogLevel.warn] == []


def exec_id(api: Api, **body: Any) -> str:
    answer = api.post("/containers/box/exec", {"Cmd": ["echo", "hi"], "AttachStdout": True} | body)
    assert answer.status == 201, answer
    return str(answer.json()["Id"])


def test_an_exec_without_upgrade_and_without_input_closes_at_its_end(api: Api) -> None:
    start(api)
    session = exec_id(api)
    connection = api.open("POST", f"/exec/{session}/start", {"Detach": False})
    process = api.engine.machine.execs[session]
    process.say(b"hi\n")
    assert (connection.answer.status, connection.answer.headers["content-type"]) == (200, RAW)
    assert connection.answer.body == b"\x01\0\0\0\0\0\0\x03hi\n"
    finish(api, session, 0)
    assert connection.closed
    shown = api.get(f"/exec/{session}/json").json()
    assert (shown["Running"], shown["ExitCode"]) == (False, 0)


def finish(api: Api, session: str, code: int) -> None:
    api.engine.machine.execs[session].finish(RunEnd(code, datetime.now(UTC)))


def test_an_execs_terminal_is_raw_and_its_detach_keys_leave(api: Api) -> None:
    start(api)
    session = exec_id(api, Tty=True, AttachStdin=True)
    connection = api.open("POST", f"/exec/{session}/start", {"Tty": True}, headers=UPGRADE)
    process = api.engine.machine.execs[session]
    process.say(b"# ")
    assert (connection.answer.status, connection.answer.headers["content-type"]) == (101, RAW)
    assert connection.answer.body == b"# "
    connection.send(b"ls\x10\x11")
    assert (process.heard, connection.closed) == (b"ls", True)
    told = api.engine.records.rows[-1]
    assert (told.action, told.attributes["execID"]) == (Action.EXEC_DETACH, session)


def test_an_exec_is_resized_and_inspected_while_it_runs(api: Api) -> None:
    container_id = start(api)
    session = exec_id(api, Tty=True)
    api.open("POST", f"/exec/{session}/start", {"Tty": True}, headers=UPGRADE)
    assert api.post(f"/exec/{session}/resize", h=5, w=6).status == 200
    assert api.engine.machine.execs[session].size == (5, 6)
    shown = api.get(f"/exec/{session}/json").json()
    assert (shown["Running"], shown["ExitCode"], shown["ContainerID"]) == (True, None, container_id)
    assert shown["ProcessConfig"]["entrypoint"] == "echo"
    assert api.get("/containers/box/json").json()["ExecIDs"] == [session]


def test_a_detached_exec_is_200_without_a_body(api: Api) -> None:
    start(api)
    answer = api.post(f"/exec/{exec_id(api)}/start", {"Detach": True})
    assert (answer.status, answer.body) == (200, b"")


def test_an_exec_may_attach_to_nothing(api: Api) -> None:
    start(api)
    assert exec_id(api, AttachStdout=False)


def test_exec_errors_come_before_the_head_of_the_hijack(api: Api) -> None:
    answer = api.post("/exec/nope/start", {}, headers=UPGRADE)
    assert (answer.status, answer.json()["message"]) == (404, "No such exec instance: nope")
    assert api.get("/exec/nope/json").status == 404
    assert api.post("/exec/nope/resize", h=1, w=1).status == 404
    start(api)
    session = exec_id(api)
    api.open("POST", f"/exec/{session}/start", {})
    assert api.post(f"/exec/{session}/start", {}, headers=UPGRADE).status == 409


def test_an_exec_without_a_command_is_400_and_in_a_stopped_container_409(api: Api) -> None:
    start(api)
    answer = api.post("/containers/box/exec", {})
    assert (answer.status, answer.json()["message"]) == (400, "No exec command specified")
    api.engine.exit()
    assert api.post("/containers/box/exec", {"Cmd": ["ls"]}).status == 409


def line(text: bytes, stream: Stream = Stream.STDOUT, *, partial: bool = False) -> LogRecord:
    return LogRecord(NOON, 0, stream, text, partial)


def test_logs_are_framed_and_typed_from_1_42_on(api: Api) -> None:
    container_id = start(api)
    api.engine.logs.put(container_id, line(b"a"), line(b"\xff", Stream.STDERR))
    answer = api.get("/containers/box/logs", stdout=1, stderr=1)
    assert (answer.status, answer.headers["content-type"], answer.whole) == (200, MULTIPLEXED, True)
    assert answer.body == b"\x01\0\0\0\0\0\0\x02a\n\x02\0\0\0\0\0\0\x02\xff\n"
    assert api.get("/v1.41/containers/box/logs", stdout=1).headers["content-type"] == RAW
    assert api.get("/containers/box/logs", stderr=1).body == b"\x02\0\0\0\0\0\0\x02\xff\n"


def test_a_terminals_log_is_raw_with_carriage_returns(api: Api) -> None:
    container_id = start(api, Tty=True)
    api.engine.logs.put(container_id, line(b"a"), line(b"b"))
    answer = api.get("/containers/box/logs", stdout=1, tail=1)
    assert (answer.headers["content-type"], answer.body) == (RAW, b"b\r\n")
    assert api.get("/containers/box/logs", stdout=1, tail="all").body == b"a\r\nb\r\n"


def test_logs_have_times_where_asked_for(api: Api) -> None:
    container_id = start(api, Tty=True)
    api.engine.logs.put(container_id, line(b"a"))
    answer = api.get("/containers/box/logs", stdout=1, timestamps=1)
    assert answer.body == b"2026-05-01T12:00:00.000000000Z a\r\n"


def test_since_and_until_bound_a_log(api: Api) -> None:
    container_id = start(api, Tty=True)
    api.engine.logs.put(container_id, line(b"a"))
    second = int(NOON.timestamp())
    for query, body in (
        ({"since": f"{second + 1}"}, b""),
        ({"since": f"{second}.000000000"}, b"a\r\n"),
        ({"since": "0", "until": "0"}, b"a\r\n"),
        ({"until": f"{second - 1}"}, b""),
    ):
        assert api.get("/containers/box/logs", stdout=1, **query).body == body
    assert api.get("/containers/box/logs", stdout=1, since="x").status == 400


def test_followed_logs_send_their_head_at_once_and_end_with_the_container(api: Api) -> None:
    container_id = start(api, Tty=True)
    following = api.open("GET", "/containers/box/logs", stdout=1, follow=1)
    assert following.answer.status == 200
    api.engine.logs.put(container_id, line(b"a"))
    assert (following.answer.body, following.answer.whole) == (b"a\r\n", False)
    api.engine.exit()
    assert following.answer.whole


def test_a_follower_that_leaves_costs_nothing_any_more(api: Api) -> None:
    start(api)
    following = api.open("GET", "/containers/box/logs", stdout=1, follow=1)
    assert api.engine.logs.open == 1
    following.hang_up()
    assert api.engine.logs.open == 0


def test_following_one_that_has_ended_ends_at_once(api: Api) -> None:
    container_id = start(api, Tty=True)
    api.engine.logs.put(container_id, line(b"a"))
    api.engine.exit()
    answer = api.get("/containers/box/logs", stdout=1, follow=1)
    assert (answer.body, answer.whole) == (b"a\r\n", True)


def test_logs_of_no_stream_or_of_no_log_are_400(api: Api) -> None:
    start(api)
    answer = api.get("/containers/box/logs")
    assert (answer.status, answer.json()["message"]) == (
        400,
        "Bad parameters: you must choose at least one stream",
    )
    create(api, "quiet", HostConfig={"NetworkMode": "none", "LogConfig": {"Type": "none"}})
    answer = api.get("/containers/quiet/logs", stdout=1)
    assert answer.status == 400
    assert "configured logging driver does not support reading" in answer.json()["message"]
