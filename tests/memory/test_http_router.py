"""Which handler answers, and what every answer has; over small groups of our own."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import pytest
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from apiserver.api.catalogue import Catalogue, Entry
from apiserver.api.groups import load_catalogue
from apiserver.api.monitor import MonitorGroup
from apiserver.api.ping import PingGroup
from apiserver.api.swarm import SwarmGroup
from apiserver.engine.ports.runs import StartFailed
from apiserver.errors import EngineError, HostError, NoSuchContainer, NotModified, RegistryFailed, RuntimeFailed
from apiserver.http.app import GroupApp, group_app
from apiserver.http.body import json_body
from apiserver.http.reply import reply_empty, reply_json, reply_text
from apiserver.http.request import Request
from apiserver.http.router import Router
from apiserver.http.settings import HttpSettings
from tests.support.http_memory import Answer, MemoryConnection
from tests.support.results import result_of


class Things:
    app = group_app()

    def __init__(self) -> None:
        self.waiting: Deferred[None] = Deferred()
        self.error = EngineError("")

    @app.route("/things/json", methods=["GET"])
    def docker_list(self, request: Request) -> bytes:
        return reply_json(request, [str(request.version), request.version_given, request.flavour.value])

    @app.route("/libpod/things/json", methods=["GET"])
    def libpod_list(self, request: Request) -> bytes:
        return reply_json(request, [str(request.version), request.version_given, request.flavour.value])

    @app.route("/things/<name:name>/json", methods=["GET"])
    async def docker_inspect(self, request: Request, name: str) -> bytes:
        return reply_json(request, {"name": name, "route": request.route})

    @app.route("/libpod/things/<name:name>/json", methods=["GET"])
    async def libpod_inspect(self, request: Request, name: str) -> bytes:
        raise NoSuchContainer(name)

    @app.route("/images/<image:name>/json", methods=["GET"])
    def docker_image(self, request: Request, name: str) -> bytes:
        return reply_json(request, {"image": name})

    @app.route("/images/<image:name>", methods=["DELETE"])
    def docker_image_remove(self, request: Request, name: str) -> bytes:
        return reply_json(request, {"removed": name})

    @app.route("/things/create", methods=["POST"], query="fromImage")
    def docker_from_image(self, request: Request) -> bytes:
        return reply_text(request, "image")

    @app.route("/things/create", methods=["POST"], query="fromSrc")
    def docker_from_source(self, request: Request) -> bytes:
        return reply_text(request, "source")

    @app.route("/libpod/lists/<image:name>/json", methods=["GET"], versions=(0, 3))
    def libpod_list_v3(self, request: Request, name: str) -> bytes:
        return reply_text(request, f"v3 {name}")

    @app.route("/libpod/lists/<image:name>/json", methods=["GET"], versions=(4, 9))
    def libpod_list_v4(self, request: Request, name: str) -> bytes:
        return reply_text(request, f"v4 {name}")

    @app.route("/body", methods=["POST"])
    async def docker_body(self, request: Request) -> bytes:
        return reply_json(request, await json_body(request, dict[str, int]))

    @app.route("/empty", methods=["POST"])
    def docker_empty(self, request: Request) -> bytes:
        return reply_empty(request)

    @app.route("/same", methods=["POST"])
    def docker_same(self, request: Request) -> bytes:
        raise NotModified("x")

    @app.route("/panic", methods=["GET"])
    def docker_panic(self, request: Request) -> bytes:
        raise ZeroDivisionError("a bug")

    @app.route("/refused", methods=["GET"])
    def docker_refused(self, request: Request) -> bytes:
        raise self.error

    @app.route("/late-panic", methods=["GET"])
    async def docker_late_panic(self, request: Request) -> bytes:
        await self.waiting
        raise ZeroDivisionError("a bug")

    @app.route("/wrong", methods=["GET"])
    def docker_wrong(self, request: Request) -> Any:
        return "text"


@pytest.fixture
def things() -> Things:
    return Things()


@pytest.fixture
def logged() -> Generator[list[LogEvent], None, None]:
    events: list[LogEvent] = []
    observer: Any = events.append
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


def unbuilt() -> Catalogue:
    return Catalogue([Entry("x", "GET", "/unbuilt/{name}"), Entry("x", "POST", "/things/json")], [])


def ask(things: Things, method: str, path: str, settings: HttpSettings | None = None, **more: Any) -> Answer:
    connection = MemoryConnection(Router([things.app], unbuilt), Clock(), settings)
    return connection.request(method, path, **more).answer


def test_an_unversioned_path_has_the_announced_version(things: Things) -> None:
    assert ask(things, "GET", "/things/json").json() == ["1.51", False, "docker"]


def test_a_version_is_taken_off_and_kept(things: Things) -> None:
    assert ask(things, "GET", "/v1.44/things/json").json() == ["1.44", True, "docker"]
    assert ask(things, "GET", "/v5.0.0/libpod/things/json").json() == ["5.0.0", True, "libpod"]


def test_libpod_takes_any_version_but_demands_one(things: Things) -> None:
    assert ask(things, "GET", "/v1.41/libpod/things/json").status == 200
    assert ask(things, "GET", "/v99/libpod/things/json").status == 200
    assert ask(things, "GET", "/libpod/things/json").status == 404


def test_only_libpods_ping_needs_no_version() -> None:
    connection = MemoryConnection(Router([PingGroup().app]), Clock())
    assert connection.request("GET", "/libpod/_ping").answer.body == b"OK"


@pytest.mark.parametrize(("version", "words"), [("1.57", "too new"), ("1.23", "too old"), ("1.4x", "invalid")])
def test_docker_paths_with_a_version_that_we_do_not_serve_are_400(things: Things, version: str, words: str) -> None:
    answer = ask(things, "GET", f"/v{version}/things/json")
    assert answer.status == 400
    assert words in answer.json()["message"]


def test_the_first_version_of_a_connection_stays_with_it(things: Things) -> None:
    connection = MemoryConnection(Router([things.app]), Clock())
    connection.request("GET", "/v1.44/things/json").request("GET", "/v1.30/things/json")
    assert str(connection.protocol.connection.first_version) == "1.44"


def test_an_encoded_slash_stays_inside_a_name(things: Things) -> None:
    assert ask(things, "GET", "/things/a%2Fb%20c/json").json() == {"name": "a/b c", "route": "/things/<name:name>/json"}
    assert ask(things, "GET", "/things/a/b/json").status == 404


def test_bytes_that_are_no_text_are_no_path(things: Things) -> None:
    assert ask(things, "GET", "/things/%FF/json").status == 404


def test_the_name_of_an_image_spans_slashes_and_the_method_decides(things: Things) -> None:
    assert ask(things, "GET", "/images/reg:5000/a/b:c/json").json() == {"image": "reg:5000/a/b:c"}
    assert ask(things, "DELETE", "/images/a/json").json() == {"removed": "a/json"}


def test_a_trailing_slash_is_not_folded(things: Things) -> None:
    assert ask(things, "GET", "/things/json/").status == 404
    assert ask(things, "GET", "/things/x/json/").status == 404


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("//things/json", "/things/json"),
        ("/things//json?a=b", "/things/json?a=b"),
        ("/a/./b", "/a/b"),
        ("/a/../b/", "/b/"),
        ("/v1.44//x", "/v1.44/x"),
    ],
)
def test_an_unclean_path_is_moved(things: Things, path: str, clean: str) -> None:
    answer = ask(things, "GET", path)
    assert (answer.status, answer.headers["location"], answer.body) == (301, clean, b"")


@pytest.mark.parametrize("target", ["http://d/things/json", "HTTPS://d:1/things/json?x=//y"])
def test_a_target_may_be_a_whole_url(things: Things, target: str) -> None:
    assert ask(things, "GET", target).json() == ["1.51", False, "docker"]


def test_an_unclean_path_of_a_whole_url_is_moved(things: Things) -> None:
    assert ask(things, "GET", "http://d//things/json").headers["location"] == "/things/json"


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("evil.example", 403), ("a@localhost", 403)])
def test_on_tcp_the_host_of_a_whole_url_counts(things: Things, host: str, status: int) -> None:
    connection = MemoryConnection(Router([things.app]), Clock(), listener="tcp://127.0.0.1:2375")
    connection.send(f"GET http://{host}/things/json HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert connection.answer.status == status


def test_head_is_not_taken_unasked(things: Things) -> None:
    assert ask(things, "HEAD", "/things/json").status == 405
    assert ask(things, "HEAD", "/things/a/json").status == 405


def test_404_and_405_are_json_with_all_the_common_headers(things: Things) -> None:
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("PUT", "/things/json", 405),
        ("PUT", "/things/a/json", 405),
    ):
        answer = ask(things, method, path)
        assert answer.json()["response"] == answer.status == status
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.headers) >= {"api-version", "libpod-api-version", "server", "x-reference-id", "ostype"}


def test_what_is_known_and_not_built_is_501_with_its_template(things: Things) -> None:
    answer = ask(things, "GET", "/v1.44/unbuilt/x")
    assert answer.status == 501
    assert "/unbuilt/{name}" in answer.json()["message"]
    assert ask(things, "POST", "/things/json").status == 501
    assert ask(things, "DELETE", "/unbuilt/x").status == 405


def test_the_list_of_routes_is_loaded_on_a_miss_only(things: Things) -> None:
    loads: list[int] = []

    def load() -> Catalogue:
        loads.append(1)
        return unbuilt()

    router = Router([things.app], load)
    for path in ("/things/json", "/things/a/json", "/images/a/json"):
        assert MemoryConnection(router, Clock()).request("GET", path).answer.status == 200
    assert not loads
    for _ in range(2):
        assert MemoryConnection(router, Clock()).request("GET", "/nothing").answer.status == 404
    assert loads == [1]


def test_apps_that_come_later_are_made_once_for_a_path_that_begins_as_theirs(things: Things) -> None:
    made: list[str] = []

    def apps(head: str) -> list[GroupApp]:
        made.append(head)
        return [things.app]

    router = Router([], later={head: partial(apps, head) for head in ("things", "images", "lists")})

    def status(path: str) -> int:
        return MemoryConnection(router, Clock()).request("GET", path).answer.status

    assert status("/nothing/json") == 404
    assert made == []
    assert [status("/things/json"), status("/v1.44/things/a/json")] == [200, 200]
    assert made == ["things"]
    assert status("/v3.4.0/libpod/lists/a/b/json") == 200
    assert made == ["things", "lists"]


def test_an_app_that_could_not_be_made_is_tried_again(things: Things) -> None:
    tries: list[int] = []

    def apps() -> list[GroupApp]:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the disk is away")
        return [things.app]

    router = Router([], later={"things": apps})
    answers = [MemoryConnection(router, Clock()).request("GET", "/things/json").answer for _ in range(2)]
    assert [answer.status for answer in answers] == [500, 200]


def test_a_query_may_decide_and_without_it_nothing_is_there(things: Things) -> None:
    assert ask(things, "POST", "/things/create?fromImage=x").body == b"image"
    assert ask(things, "POST", "/things/create?fromSrc=-").body == b"source"
    assert ask(things, "POST", "/things/create").status == 405


def test_a_version_range_decides(things: Things) -> None:
    assert ask(things, "GET", "/v3.4.0/libpod/lists/a/b/json").body == b"v3 a/b"
    assert ask(things, "GET", "/v1.41/libpod/lists/a/json").body == b"v3 a"
    assert ask(things, "GET", "/v5.0.0/libpod/lists/a/json").body == b"v4 a"
    assert ask(things, "GET", "/v10/libpod/lists/a/json").status == 404


def test_errors_are_in_the_words_of_the_flavour(things: Things) -> None:
    body = ask(things, "GET", "/v5.0.0/libpod/things/a/json").json()
    assert body["cause"] == "no such container"
    assert body["message"] == 'no container with name or ID "a" found: no such container'


def test_204_and_304_have_neither_body_nor_length(things: Things) -> None:
    for path, status in (("/empty", 204), ("/same", 304)):
        answer = ask(things, "POST", path)
        assert (answer.status, answer.body) == (status, b"")
        assert {"content-length", "transfer-encoding"}.isdisjoint(answer.headers)


def test_grpc_is_415(things: Things) -> None:
    assert ask(things, "POST", "/things/json", content_type="application/grpc+proto").status == 415


def test_a_form_content_type_keeps_its_json_body(things: Things) -> None:
    answer = ask(things, "POST", "/body", body=b'{"a":1}', content_type="application/x-www-form-urlencoded")
    assert answer.json() == {"a": 1}


def waiting_for_a_body(things: Things, clock: Clock) -> MemoryConnection:
    settings = HttpSettings(body_silence=60, body_timeout=100)
    connection = MemoryConnection(Router([things.app]), clock, settings)
    connection.send(b"POST /body HTTP/1.1\r\nHost: d\r\nContent-Length: 1000\r\n\r\n")
    return connection


def test_a_json_body_that_does_not_come_is_408_and_the_end_of_its_connection(things: Things) -> None:
    clock = Clock()
    connection = waiting_for_a_body(things, clock)
    clock.advance(59)
    assert not connection.answered
    clock.advance(1)
    assert (connection.answer.status, connection.answer.headers["connection"]) == (408, "close")
    assert "nothing of the request body came for 60 seconds" in connection.answer.json()["message"]
    connection.send(b"x" * 1000 + b"GET /things/json HTTP/1.1\r\nHost: d\r\n\r\n")
    assert connection.transport.value().count(b"HTTP/1.1 ") == 1
    clock.advance(5)
    assert connection.closed


def test_a_json_body_that_trickles_in_is_408_too(things: Things) -> None:
    clock = Clock()
    connection = waiting_for_a_body(things, clock)
    for _ in range(99):
        clock.advance(1)
        connection.send(b" ")
    assert not connection.answered
    clock.advance(1)
    assert connection.answer.status == 408


def test_a_json_body_in_time_leaves_the_connection_as_it_was(things: Things) -> None:
    clock = Clock()
    connection = waiting_for_a_body(things, clock)
    clock.advance(50)
    connection.send(b'{"a":1}'.ljust(1000))
    assert connection.answer.json() == {"a": 1}
    clock.advance(1000)
    assert not connection.closed


def test_a_body_over_the_limit_is_413(things: Things) -> None:
    answer = ask(things, "POST", "/body", HttpSettings(max_json_bytes=10), body=b'{"abcdefgh":1}')
    assert answer.status == 413


@pytest.mark.parametrize("path", ["/panic", "/wrong"])
def test_a_bug_is_a_500_whose_traceback_is_logged_under_the_reference_id(
    things: Things, path: str, logged: list[LogEvent]
) -> None:
    answer = ask(things, "GET", path, x_reference_id="mine-1")
    assert (answer.status, answer.headers["x-reference-id"]) == (500, "mine-1")
    [failed] = [event for event in logged if event["log_level"] is LogLevel.critical]
    assert failed["reference_id"] == "mine-1"
    assert failed["log_failure"].value is not None


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (RuntimeFailed("no such sysctl\nat all"), LogLevel.warn),
        (StartFailed("crun: no such sysctl", 126), LogLevel.warn),
        (RegistryFailed("it broke off"), LogLevel.warn),
        (HostError("no room"), LogLevel.error),
    ],
)
def test_what_others_refuse_is_one_line_with_the_reason_and_no_traceback(
    things: Things, logged: list[LogEvent], error: EngineError, level: LogLevel
) -> None:
    things.error = error
    assert ask(things, "GET", "/refused", x_reference_id="mine-1").status == 500
    [said] = [event for event in logged if event["log_level"] > LogLevel.info]
    assert (said["log_level"], said["reference_id"], said.get("log_failure")) == (level, "mine-1", None)
    assert error.subject in str(formatEvent(said))


def test_a_handler_is_cancelled_when_its_client_hangs_up_and_that_is_no_error(
    things: Things, logged: list[LogEvent]
) -> None:
    connection = MemoryConnection(Router([things.app]), Clock())
    connection.request("GET", "/late-panic")
    assert not connection.answered
    connection.hang_up()
    assert things.waiting.called
    assert not [event for event in logged if event["log_level"] is LogLevel.critical]


def test_each_answer_is_one_line_in_the_log(things: Things, logged: list[LogEvent]) -> None:
    ask(things, "GET", "/things/json", x_reference_id="a")
    ask(things, "GET", "/nothing", x_reference_id="b")
    lines = {event["reference_id"]: event["what"] for event in logged if "what" in event}
    assert lines == {"a": "", "b": "Failed Request "}


def test_bodies_are_traced_only_where_that_is_set_and_without_credentials(
    things: Things, logged: list[LogEvent]
) -> None:
    ask(things, "POST", "/body", body=b'{"Password":1}')
    assert not [event for event in logged if event.get("trace")]
    ask(things, "POST", "/body", HttpSettings(trace=True), body=b'{"Password":1,"a":2}')
    traced = {event["side"]: event["body"] for event in logged if event.get("trace")}
    assert traced == {"request": '{"Password": "***", "a": 2}', "response": '{"Password": "***", "a": 2}'}


def test_cors_headers_are_there_only_where_they_are_configured(things: Things) -> None:
    assert "access-control-allow-origin" not in ask(things, "GET", "/things/json").headers
    assert ask(things, "OPTIONS", "/things/json").status == 405
    cors = HttpSettings(cors_origin="https://a.example")
    for method, path, status in (
        ("GET", "/things/json", 200),
        ("GET", "/nothing", 404),
        ("OPTIONS", "/things/json", 204),
        ("OPTIONS", "/v1.44/things/a/json", 204),
        ("OPTIONS", "/unbuilt/a", 204),
        ("OPTIONS", "/nothing", 404),
    ):
        answer = ask(things, method, path, cors)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "https://a.example")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:2375"}, 200),
        ({"Host": "127.0.0.1:2375"}, 200),
        ({"Host": "[::1]:2375"}, 200),
        ({"Host": "engine.example"}, 200),
        ({"Host": "Engine.Example.:2375"}, 200),
        ({"Host": "www.engine.example"}, 403),
        ({"Host": "one.of.example"}, 200),
        ({"Host": "a.one.of.example"}, 403),
        ({"Host": "of.example"}, 403),
        ({"Host": "*.of.example.evil"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example:2375"}, 403),
        ({}, 403),
        ({"Host": "localhost", "Origin": "http://localhost"}, 403),
        ({"Host": "localhost", "Origin": "null"}, 403),
    ],
)
def test_on_tcp_foreign_hosts_and_origins_are_refused(things: Things, headers: dict[str, str], status: int) -> None:
    settings = HttpSettings(allowed_hosts=frozenset({"engine.example", "*.of.example"}))
    connection = MemoryConnection(Router([things.app]), Clock(), settings, "tcp://127.0.0.1:2375")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    connection.send("\r\n".join(["GET /things/json HTTP/1.1", *lines, "", ""]).encode())
    assert connection.answer.status == status


@pytest.mark.parametrize("kind", ["text/plain", "Text/Plain; charset=utf-8", "application/x-www-form-urlencoded"])
def test_on_tcp_a_body_that_a_form_could_send_is_refused(things: Things, kind: str) -> None:
    connection = MemoryConnection(Router([things.app]), Clock(), listener="tcp://127.0.0.1:2375")
    connection.send(
        f"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    assert connection.answer.status == 403


@pytest.mark.parametrize(
    ("agents", "status"),
    [
        (["Docker-Client/28.2.2 (linux)"], 200),
        (["Mozilla/5.0"], 403),
        (["Docker-Client/28.2.2 (linux)", "Mozilla/5.0"], 403),
        (["docker-sdk-python/7.1.0"], 403),
    ],
)
def test_on_tcp_the_docker_command_may_send_text(things: Things, agents: list[str], status: int) -> None:
    connection = MemoryConnection(Router([things.app]), Clock(), listener="tcp://127.0.0.1:2375")
    names = "".join(f"User-Agent: {agent}\r\n" for agent in agents)
    connection.send(
        f"POST /body HTTP/1.1\r\nHost: localhost\r\n{names}Content-Type: text/plain\r\n"
        "Content-Length: 2\r\n\r\n{}".encode()
    )
    assert connection.answer.status == status


def test_ping_says_what_clients_look_for_and_head_has_no_body() -> None:
    router = Router([PingGroup().app])
    answer = MemoryConnection(router, Clock()).request("GET", "/v1.44/_ping").answer
    assert (answer.status, answer.body) == (200, b"OK")
    assert (answer.headers["builder-version"], answer.headers["api-version"]) == ("1", "1.51")
    assert answer.headers["cache-control"].startswith("no-cache")
    head = MemoryConnection(router, Clock()).request("HEAD", "/_ping").answer
    assert (head.status, head.headers["content-length"], head.body) == (200, "0", b"")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/nodes", "/nodes/x", "/swarm/init", "/configs/a/update", "/secrets/x/y/z"])
def test_below_swarms_paths_all_is_503(method: str, path: str) -> None:
    answer = MemoryConnection(Router([SwarmGroup().app], load_catalogue), Clock()).request(method, path).answer
    assert answer.status == (405 if path == "/nodes" and method != "GET" else 503)


def test_a_secret_is_no_part_of_the_swarm_though_it_is_not_built() -> None:
    connection = MemoryConnection(Router([SwarmGroup().app], load_catalogue), Clock())
    assert connection.request("GET", "/secrets/x").answer.status == 501


def test_monitor_is_never_there() -> None:
    router = Router([MonitorGroup().app], load_catalogue)
    for method in ("GET", "POST"):
        assert MemoryConnection(router, Clock()).request(method, "/monitor").answer.status == 404


def test_a_groups_resource_works_alone_in_a_stock_site(things: Things) -> None:
    http: Any = StubTreq(things.app.resource())
    response = result_of(http.get("http://api/v1.41/things/a/json"))
    assert result_of(response.json())["name"] == "a"
    response = result_of(http.post("http://api/v1.41/body", data=b'{"a":"x"}'))
    assert (response.code, result_of(response.json())["cause"]) == (400, "invalid argument")


def test_two_handlers_of_one_name_are_refused() -> None:
    app = group_app()
    app.route("/a", methods=["GET"], endpoint="same")(lambda request: b"")
    with pytest.raises(ValueError, match="two handlers are named same"):
        app.route("/b", methods=["GET"], endpoint="same")(lambda request: b"")
