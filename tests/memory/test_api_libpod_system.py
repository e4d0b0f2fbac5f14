from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.engine import NOON

LIBPOD = "/v5.0.0/libpod"
PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def start(api: Api, name: str = "box", **body: Any) -> None:
    assert api.post("/containers/create", PLAIN | body, name=name).status == 201
    assert api.post(f"/containers/{name}/start").status == 204


def test_the_engine_is_a_podman_to_podman(api: Api) -> None:
    said = api.get(f"{LIBPOD}/version").json()
    assert said["Components"][0]["Name"] == "Podman Engine"
    assert said["Components"][0]["Details"]["APIVersion"] == said["Version"] == "6.0.0"


def test_info_counts_what_there_is_under_podmans_keys(api: Api) -> None:
    start(api)
    info = api.get(f"{LIBPOD}/info").json()
    assert set(info) == {"host", "store", "registries", "plugins", "version"}
    assert info["store"]["containerStore"] == {"number": 1, "paused": 0, "running": 1, "stopped": 0}
    assert (info["host"]["arch"], info["host"]["cgroupVersion"]) == ("amd64", "v2")


def test_events_are_in_podmans_words_from_their_beginning_on(api: Api) -> None:
    listening = api.open("GET", f"{LIBPOD}/events")
    assert (listening.answer.status, listening.answer.body) == (200, b"")
    start(api, Labels={"a": "b"})
    api.engine.exit(3)
    api.delete("/containers/box")
    told = listening.answer.lines()
    assert [each["Action"] for each in told] == ["create", "init", "start", "died", "remove"]
    assert told[3]["Actor"]["Attributes"]["containerExitCode"] == "3"
    assert "exitCode" not in told[3]["Actor"]["Attributes"]
    assert told[3]["Actor"]["Attributes"]["a"] == "b"
    assert not listening.answer.whole


def test_without_stream_the_past_is_told_and_the_answer_ends(api: Api) -> None:
    start(api)
    past = api.open("GET", f"{LIBPOD}/events", stream="false", filters={"Status": ["start"]})
    api.engine.clock.advance(0)
    assert past.answer.whole
    assert [each["Action"] for each in past.answer.lines()] == ["start"]


def test_an_end_alone_tells_all_that_was_before_it(api: Api) -> None:
    start(api)
    past = api.open("GET", f"{LIBPOD}/events", until=int(NOON.timestamp()) + 1, filters={"container": ["box"]})
    api.engine.clock.advance(2)
    assert past.answer.whole
    assert [each["Action"] for each in past.answer.lines()] == ["create", "init", "start"]


def test_a_filter_that_podman_does_not_have_is_refused(api: Api) -> None:
    assert api.get(f"{LIBPOD}/events", filters={"nonsense": ["x"]}).status == 400
    assert api.get(f"{LIBPOD}/events", stream="maybe").status == 400
