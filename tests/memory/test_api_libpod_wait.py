from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.support.api import Api

CONTAINERS = "/v5.0.0/libpod/containers"
WAIT = f"{CONTAINERS}/box/wait"
PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    create(api)
    yield api
    api.hang_up()


def create(api: Api, **host: Any) -> None:
    body = PLAIN | {"HostConfig": PLAIN["HostConfig"] | host}
    assert api.post("/containers/create", body, name="rm" if host else "box").status == 201


def start(api: Api) -> None:
    assert api.post(f"{CONTAINERS}/box/start").status == 204


@pytest.mark.parametrize("word", ["nonsense", "Running", "running,exited", "next-exit"])
def test_what_is_no_condition_is_refused_by_name(api: Api, word: str) -> None:
    refused = api.post(WAIT, condition=word)
    assert (refused.status, word in refused.json()["message"]) == (400, True)


@pytest.mark.parametrize("query", ["condition=healthy", "condition=running&condition=unhealthy"])
def test_conditions_of_health_checks_are_not_there_yet_and_named(api: Api, query: str) -> None:
    refused = api.post(f"{WAIT}?{query}")
    assert (refused.status, query.rpartition("=")[2] in refused.json()["message"]) == (501, True)
    assert api.post(f"{CONTAINERS}/nope/wait?{query}").status == 404


@pytest.mark.parametrize("word", ["created", "configured"])
def test_a_condition_that_holds_is_answered_at_once_with_no_code(api: Api, word: str) -> None:
    assert api.post(WAIT, condition=word).body == b"-1\n"


def test_each_state_is_told_when_it_comes(api: Api) -> None:
    words = ("initialized", "running", "stopping", "removing")
    waiting = {word: api.open("POST", f"{WAIT}?condition={word}") for word in words}

    def told() -> list[str]:
        return [word for word in words if waiting[word].answer.whole and waiting[word].answer.body == b"-1\n"]

    assert told() == []
    api.post(f"{CONTAINERS}/box/init")
    assert told() == ["initialized"]
    start(api)
    assert told() == ["initialized", "running"]
    api.post(f"{CONTAINERS}/box/stop")
    assert told() == ["initialized", "running", "stopping"]
    api.delete(f"{CONTAINERS}/box")
    assert told() == list(words)


def test_any_of_several_conditions_is_enough_and_an_end_has_its_code(api: Api) -> None:
    query = "condition=removing&condition=exited"
    waiting = api.open("POST", f"{WAIT}?{query}")
    start(api)
    assert not waiting.answer.whole
    api.engine.exit(3)
    assert (waiting.answer.body, waiting.answer.whole) == (b"3\n", True)
    assert api.post(f"{WAIT}?{query}").body == b"3\n"
    assert api.post(f"{WAIT}?condition=running&condition=stopped").body == b"3\n"


def test_one_that_removes_itself_at_its_end_has_its_code(api: Api) -> None:
    create(api, AutoRemove=True)
    assert api.post(f"{CONTAINERS}/rm/start").status == 204
    waiting = [api.open("POST", f"{CONTAINERS}/rm/wait{q}") for q in ("", "?condition=removing&condition=exited")]
    api.engine.exit(4, "rm")
    assert [each.answer.body for each in waiting] == [b"4\n", b"4\n"]


def test_who_waits_for_a_state_that_can_come_no_more_is_cut_off(api: Api) -> None:
    waiting = [api.open("POST", f"{WAIT}?condition={word}") for word in ("paused", "pausing", "unknown")]
    api.delete(f"{CONTAINERS}/box")
    assert [(each.answer.body, each.answer.whole) for each in waiting] == [(b"", False)] * 3


def test_an_initialized_one_has_not_ended(api: Api) -> None:
    api.post(f"{CONTAINERS}/box/init")
    waiting = api.open("POST", WAIT)
    assert not waiting.answer.whole
    start(api)
    api.engine.exit(5)
    assert waiting.answer.body == b"5\n"


def test_a_client_that_leaves_waits_no_more(api: Api) -> None:
    leaving = api.open("POST", f"{WAIT}?condition=running&condition=stopped")
    staying = api.open("POST", f"{WAIT}?condition=running")
    leaving.hang_up()
    start(api)
    assert staying.answer.body == b"-1\n"


def test_an_unknown_end_is_no_code(api: Api) -> None:
    start(api)
    api.engine.exit(None)
    assert api.post(WAIT).body == b"-1\n"


@pytest.mark.parametrize("interval", ["250ms", "1h30m", "0", "2.5s"])
def test_an_interval_is_taken(api: Api, interval: str) -> None:
    assert api.post(WAIT, condition="created", interval=interval).body == b"-1\n"


@pytest.mark.parametrize("interval", ["soon", "5", "1 s", "-"])
def test_what_is_no_interval_is_refused_by_name(api: Api, interval: str) -> None:
    refused = api.post(WAIT, interval=interval)
    assert (refused.status, "interval" in refused.json()["message"]) == (400, True)


def test_the_code_of_a_removed_one_is_kept_for_five_minutes_for_its_id_alone(api: Api) -> None:
    container_id = api.engine.container().id
    start(api)
    api.engine.exit(7)
    api.delete(f"{CONTAINERS}/box")
    assert api.post(f"{CONTAINERS}/{container_id}/wait").body == b"7\n"
    assert api.post(f"{CONTAINERS}/{container_id}/wait?condition=running").status == 404
    assert api.post(WAIT).status == 404
    api.engine.clock.advance(301)
    assert api.post(f"{CONTAINERS}/{container_id}/wait").status == 404
