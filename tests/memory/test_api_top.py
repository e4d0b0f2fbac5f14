from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from apiserver.errors import HostError
from tests.support.api import Api

LIBPOD = "/v5.0.0/libpod/containers/box/top"
BOX: dict[str, Any] = {"Image": "busybox", "Cmd": ["sleep", "9"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    assert api.post("/containers/create", BOX, name="box").status == 201
    yield api
    api.hang_up()


def start(api: Api) -> None:
    assert api.post("/containers/box/start").status == 204


def test_docker_sees_what_ps_says_with_the_pids_of_the_host(api: Api) -> None:
    start(api)
    shown = api.get("/containers/box/top")
    assert (shown.status, shown.json()) == (200, {"Titles": ["PID", "CMD"], "Processes": [["1001", "sleep 9"]]})
    refused = api.get("/containers/box/top", ps_args="a e")
    assert (refused.status, "ps_args" in refused.json()["message"]) == (500, True)


def test_podman_sees_its_columns_with_the_pids_of_the_container(api: Api) -> None:
    start(api)
    assert api.get(f"{LIBPOD}?ps_args=pid&ps_args=hpid&ps_args=args").json() == {
        "Titles": ["PID", "HPID", "COMMAND"],
        "Processes": [["1", "1001", "sleep 9"]],
    }
    assert api.get(LIBPOD).json()["Titles"][0] == "USER"
    older = api.get("/v4.3.1/libpod/containers/box/top?ps_args=pid,comm")
    assert older.json() == {"Titles": ["PID", "COMMAND"], "Processes": [["1", "sleep"]]}


def test_other_arguments_of_podman_go_to_ps(api: Api) -> None:
    start(api)
    assert api.get(f"{LIBPOD}?ps_args=-ef").json()["Titles"] == ["PID", "CMD"]
    assert api.get("/v4.3.1/libpod/containers/box/top?ps_args=a,e").status == 500


def test_one_that_does_not_run_is_409_to_docker_and_500_to_podman(api: Api) -> None:
    container = api.engine.container()
    refused = api.get("/containers/box/top")
    assert (refused.status, refused.json()["message"]) == (409, f"container {container.id} is not running")
    for path in (LIBPOD, f"{LIBPOD}?stream=true"):
        refused = api.get(path)
        assert (refused.status, refused.json()["cause"]) == (500, "top can only be used on running containers")
    assert api.get("/containers/nope/top").status == api.get("/v5.0.0/libpod/containers/nope/top").status == 404


def test_a_stream_repeats_after_each_delay_until_the_container_ends(api: Api) -> None:
    start(api)
    shown = api.open("GET", f"{LIBPOD}?stream=true&ps_args=pid")
    once = json.dumps({"Titles": ["PID"], "Processes": [["1"]]}, separators=(",", ":")).encode() + b"\n"
    assert (shown.answer.body, shown.answer.whole) == (once, False)
    api.engine.clock.advance(4.9)
    assert shown.answer.body == once
    api.engine.clock.advance(0.1)
    assert shown.answer.body == 2 * once
    api.engine.exit(0)
    assert (shown.answer.body, shown.answer.whole) == (2 * once, True)


def test_a_stream_that_fails_later_breaks_off(api: Api) -> None:
    start(api)
    shown = api.open("GET", f"{LIBPOD}?stream=true&delay=1")
    api.engine.gates.fail({"runs.processes": HostError("broken")})
    api.engine.clock.advance(1)
    assert (shown.answer.status, shown.answer.whole) == (200, False)


def test_a_stream_is_over_when_its_client_leaves(api: Api) -> None:
    start(api)
    shown = api.open("GET", f"{LIBPOD}?stream=true&delay=1")
    looks = api.engine.gates.passed.count("runs.processes")
    shown.hang_up()
    api.engine.clock.advance(10)
    assert api.engine.gates.passed.count("runs.processes") == looks


@pytest.mark.parametrize("delay", ["0", "-1", "x"])
def test_a_delay_below_a_second_is_refused(api: Api, delay: str) -> None:
    start(api)
    assert api.get(f"{LIBPOD}?stream=true&delay={delay}").status == 400
