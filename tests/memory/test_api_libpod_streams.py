from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from apiserver.engine.ports.logs import LogRecord
from apiserver.engine.ports.streams import Stream
from tests.support.api import Api
from tests.support.engine import NOON
from tests.support.http_memory import MemoryConnection

PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
BOX = "libpod/containers/box"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
RAW = "application/vnd.docker.raw-stream"
HELLO = b"\x01\0\0\0\0\0\0\x03hi\n"


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def start(api: Api, **body: Any) -> None:
    assert api.post("/containers/create", PLAIN | body, name="box").status == 201
    assert api.post("/containers/box/start").status == 204


def attach(api: Api, version: str = "/v5.0.0", **query: Any) -> MemoryConnection:
    return api.open("POST", f"{version}/{BOX}/attach", **({"headers": UPGRADE} | query))


def test_an_attach_that_names_no_stream_has_all_and_goes_on(api: Api) -> None:
    start(api, OpenStdin=True)
    connection = attach(api)
    api.engine.process().say(b"hi\n")
    api.engine.process().say(b"hi\n", Stream.STDERR)
    assert (connection.answer.status, connection.answer.headers["content-type"]) == (101, MULTIPLEXED)
    assert connection.answer.body == HELLO + b"\x02" + HELLO[1:]
    assert not connection.closed


@pytest.mark.parametrize(("version", "kind"), [("/v4.6.0", RAW), ("/v4.7.0", MULTIPLEXED)])
def test_the_frames_have_a_type_of_their_own_from_4_7_on(api: Api, version: str, kind: str) -> None:
    start(api)
    assert attach(api, version).answer.headers["content-type"] == kind


@pytest.mark.parametrize(("path", "kind"), [(f"/v5.0.0/{BOX}", MULTIPLEXED), ("/v1.44/containers/box", RAW)])
def test_who_asks_for_no_upgrade_is_told_the_type_by_podman_alone(api: Api, path: str, kind: str) -> None:
    start(api)
    answer = api.open("POST", f"{path}/attach", stdout="true", stream="true").answer
    assert (answer.status, answer.headers["content-type"]) == (200, kind)


def test_what_cannot_be_attached_to_is_refused_before_the_head(api: Api) -> None:
    start(api)
    assert attach(api, stdin="false").answer.status == 400
    assert attach(api, stream="false").answer.status == 400
    assert api.post("/v5.0.0/libpod/containers/nope/attach").status == 404


def test_a_resize_needs_both_sides(api: Api) -> None:
    start(api, Tty=True)
    assert api.post(f"/v5.0.0/{BOX}/resize", h=10, w=20).status == 200
    assert api.post(f"/v5.0.0/{BOX}/resize", h=10).status == 400


def test_logs_of_no_stream_are_refused(api: Api) -> None:
    start(api)
    assert api.get(f"/v5.0.0/{BOX}/logs").status == 400
    assert api.get("/v5.0.0/libpod/containers/nope/logs", stdout="true").status == 404


@pytest.mark.parametrize(
    ("tail", "shown"), [("all", b"ab"), ("-1", b"ab"), ("2", b"ab"), ("+1", b"b"), ("0", b""), ("-0", b"")]
)
def test_the_tail_of_a_log_is_a_number_of_lines_or_all_of_them(api: Api, tail: str, shown: bytes) -> None:
    start(api)
    container_id = api.get("/containers/box/json").json()["Id"]
    for text in (b"a", b"b"):
        api.engine.logs.put(container_id, LogRecord(NOON, 0, Stream.STDOUT, text, False))
    said = api.get(f"/v5.0.0/{BOX}/logs", stdout="true", tail=tail).body
    assert bytes(each for each in said if each in b"ab") == shown


@pytest.mark.parametrize("tail", ["x", "ALL", "1.5", "1" * 16])
def test_a_tail_that_is_no_number_is_refused(api: Api, tail: str) -> None:
    start(api)
    refused = api.get(f"/v5.0.0/{BOX}/logs", stdout="true", tail=tail)
    assert (refused.status, "query parameter 'tail'" in refused.json()["message"]) == (400, True)


def test_a_refused_question_for_logs_leaves_nobody_following(api: Api) -> None:
    start(api)
    assert api.get(f"/v5.0.0/{BOX}/logs", stdout="true", follow="true", timestamps="perhaps").status == 400
    assert api.engine.logs.open == 0


@pytest.mark.parametrize("terminal", [False, True])
def test_logs_are_framed_with_and_without_a_terminal(api: Api, terminal: bool) -> None:
    start(api, Tty=terminal)
    container_id = api.get("/containers/box/json").json()["Id"]
    api.engine.logs.put(container_id, LogRecord(NOON, 0, Stream.STDOUT, b"hi", False))
    assert api.get(f"/v5.0.0/{BOX}/logs", stdout="true").body == HELLO
    zero = "0001-01-01T00:00:00Z"  # as podman sends where nobody gave a time
    assert api.get(f"/v4.3.1/{BOX}/logs", stdout="true", since=zero, until=zero, tail=-1).body == HELLO


@pytest.mark.parametrize(
    ("since", "until", "shown"),
    [
        ("", "0", True),
        ("", "2026-05-01T11:59:59Z", False),
        ("", "2026-05-01T12:00:00.5Z", True),
        ("", "2026-05-01T14:00:00+02:00", True),
        ("", str(int(NOON.timestamp()) - 1), False),
        ("", f"{int(NOON.timestamp())}.5", True),
        ("", "10s", True),  # in ten seconds from now
        ("", "-10s", False),
        ("10s", "", True),
        ("2026-05-01T12:00:01Z", "10s", False),
    ],
)
def test_since_and_until_bound_a_log_as_podman_reads_them(api: Api, since: str, until: str, shown: bool) -> None:
    start(api)
    container_id = api.get("/containers/box/json").json()["Id"]
    api.engine.logs.put(container_id, LogRecord(NOON, 0, Stream.STDOUT, b"hi", False))
    answer = api.get(f"/v5.0.0/{BOX}/logs", stdout="true", since=since, until=until)
    assert (answer.status, answer.body) == (200, HELLO if shown else b"")
    assert api.get(f"/v5.0.0/{BOX}/logs", stdout="true", until="soon").status == 400


@pytest.mark.parametrize(
    ("path", "until"), [(f"/v5.0.0/{BOX}/logs", "5s"), ("/containers/box/logs", f"{int(NOON.timestamp()) + 5}")]
)
def test_a_followed_log_ends_when_its_until_has_come(api: Api, path: str, until: str) -> None:
    start(api)
    following = api.open("GET", path, stdout="true", follow="true", until=until)
    api.engine.clock.advance(4)
    before = following.answer
    api.engine.clock.advance(1)
    assert (before.whole, following.answer.whole, api.engine.logs.open) == (False, True, 0)
