"""Sizes are shown to those who ask, in each flavour's words."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from apiserver.errors import HostError
from tests.support.api import Api

PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
LIBPOD = "/v5.0.0/libpod/containers"


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def create(api: Api, name: str, written: int = 0) -> str:
    container_id: str = api.post("/containers/create", PLAIN, name=name).json()["Id"]
    api.engine.machine.written[container_id] = written
    return container_id


def test_docker_shows_what_was_written_and_that_with_the_image(api: Api) -> None:
    create(api, "box", 1000)
    (listed,) = api.get("/containers/json", all=1, size=1).json()
    inspected = api.get("/containers/box/json", size=1).json()
    for shown in (listed, inspected):
        assert (shown["SizeRw"], shown["SizeRootFs"]) == (1000, 1001)


def test_a_zero_is_shown_by_dockers_inspect_and_left_out_of_its_list(api: Api) -> None:
    create(api, "box")
    (listed,) = api.get("/containers/json", all=1, size="true").json()
    assert "SizeRw" not in listed
    assert listed["SizeRootFs"] == 1
    assert api.get("/containers/box/json", size=1).json()["SizeRw"] == 0


def test_podman_shows_what_was_written_and_the_image_apart(api: Api) -> None:
    create(api, "box", 1000)
    (listed,) = api.get(f"{LIBPOD}/json", all="true", size="true").json()
    assert listed["Size"] == {"rootFsSize": 1, "rwSize": 1000}
    inspected = api.get(f"{LIBPOD}/box/json", size="true").json()
    assert (inspected["SizeRw"], inspected["SizeRootFs"]) == (1000, 1)


def test_nothing_is_counted_for_who_does_not_ask(api: Api) -> None:
    create(api, "box", 1000)
    assert "SizeRw" not in api.get("/containers/json", all=1, size=0).json()[0]
    assert "SizeRootFs" not in api.get("/containers/box/json").json()
    assert api.get(f"{LIBPOD}/json", all="true").json()[0]["Size"] is None
    assert "SizeRw" not in api.get(f"{LIBPOD}/box/json", size="false").json()
    assert "runs.written_bytes" not in api.engine.gates.passed


def test_containers_are_counted_one_after_another_until_the_client_leaves(api: Api) -> None:
    for name in ("one", "two", "three"):
        create(api, name, 7)
    gate = api.engine.gates.hold("runs.written_bytes")
    client = api.open("GET", "/containers/json", all=1, size=1)
    assert api.engine.gates.passed.count("runs.written_bytes") == 1
    client.hang_up()
    gate.callback(None)
    assert api.engine.gates.passed.count("runs.written_bytes") == 1


def test_what_is_removed_while_it_is_counted_is_not_shown(api: Api) -> None:
    create(api, "box", 7)
    gate = api.engine.gates.hold("runs.written_bytes")
    listing = api.open("GET", "/containers/json", all=1, size=1)
    inspection = api.open("GET", f"{LIBPOD}/box/json", size="true")
    assert api.delete("/containers/box").status == 204
    gate.callback(None)
    assert listing.answer.json() == []
    assert inspection.answer.status == 404


def test_a_layer_that_cannot_be_read_is_said(api: Api) -> None:
    create(api, "box")
    api.engine.gates.fail({"runs.written_bytes": HostError("the disk is broken")})
    answer = api.get("/containers/json", all=1, size=1)
    assert answer.status == 500
    assert "the disk is broken" in answer.json()["message"]


def test_an_image_that_is_gone_counts_nothing(api: Api) -> None:
    create(api, "box", 1000)
    api.engine.images.gone = True
    (listed,) = api.get("/containers/json", all=1, size=1).json()
    assert (listed["SizeRw"], listed["SizeRootFs"]) == (1000, 1000)
    assert api.get(f"{LIBPOD}/json", all="true", size="true").json()[0]["Size"] == {"rootFsSize": 0, "rwSize": 1000}
