from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.engine import NOON

PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
SECOND = int(NOON.timestamp())


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def start(api: Api, name: str = "box", **body: Any) -> None:
    assert api.post("/containers/create", PLAIN | body, name=name).status == 201
    assert api.post(f"/containers/{name}/start").status == 204


def test_events_send_their_head_at_once_and_then_each_event(api: Api) -> None:
    listening = api.open("GET", "/events")
    assert (listening.answer.status, listening.answer.body) == (200, b"")
    start(api, Labels={"a": "b"})
    api.engine.exit(3)
    actions = [each["Action"] for each in listening.answer.lines()]
    assert actions == ["create", "start", "die"]
    died = listening.answer.lines()[-1]
    assert died["status"] == "die"
    assert died["Actor"]["Attributes"] == {
        "a": "b",
        "execDuration": "0",
        "exitCode": "3",
        "image": "busybox",
        "name": "box",
    }
    assert not listening.answer.whole


def test_events_never_time_out_and_cost_nothing_after_their_client_left(api: Api) -> None:
    listening = api.open("GET", "/events")
    api.engine.clock.advance(100_000)
    assert not listening.closed
    assert api.engine.events.subscribers == 1
    listening.hang_up()
    assert api.engine.events.subscribers == 0


def test_past_events_end_with_until(api: Api) -> None:
    start(api)
    answer = api.get("/events", since=SECOND - 1, until=f"{SECOND}.5", filters={"event": ["start"]})
    api.engine.clock.advance(1)
    assert [each["Action"] for each in answer.lines()] == ["start"]
    past = api.open("GET", "/events", since="10m", until=SECOND + 1, filters={"type": {"container": True}})
    api.engine.clock.advance(0)
    assert past.answer.whole
    assert [each["Action"] for each in past.answer.lines()] == ["create", "start"]


def test_without_stream_the_past_is_told_as_podman_offers_it(api: Api) -> None:
    start(api)
    past = api.open("GET", "/events", since="10m", stream="false", filters={"event": ["start"]})
    api.engine.clock.advance(0)
    assert past.answer.whole
    assert [each["Action"] for each in past.answer.lines()] == ["start"]


def test_a_time_to_come_ends_the_stream_when_it_comes(api: Api) -> None:
    listening = api.open("GET", "/events", until=SECOND + 60)
    api.engine.clock.advance(59)
    assert not listening.answer.whole
    api.engine.clock.advance(2)
    assert listening.answer.whole


def test_from_1_52_on_events_have_no_flat_fields(api: Api) -> None:
    listening = api.open("GET", "/v1.52/events")
    start(api)
    assert "status" not in listening.answer.lines()[0]


def test_filters_of_events_are_dockers(api: Api) -> None:
    listening = api.open("GET", "/events", filters={"event": {"die": True}, "container": ["box"]})
    start(api)
    start(api, "other")
    api.engine.exit(0, "other")
    api.engine.exit(0)
    assert [each["Actor"]["Attributes"]["name"] for each in listening.answer.lines()] == ["box"]
    assert api.get("/events", filters={"nonsense": ["x"]}).status == 400
    assert api.get("/events", since="x").status == 400
    assert api.get("/events", since=5, until=4).status == 400


def test_info_and_version_are_for_every_client(api: Api) -> None:
    start(api)
    for version in ("", "/v1.24", "/v1.56"):
        info, said = api.get(f"{version}/info").json(), api.get(f"{version}/version").json()
        assert (info["ContainersRunning"], info["ServerVersion"], said["ApiVersion"]) == (1, "28.5.2", "1.51")


def test_the_three_networks_are_listed_and_found_by_name_and_id(api: Api) -> None:
    listed = api.get("/networks").json()
    assert sorted(each["Name"] for each in listed) == ["bridge", "host", "none"]
    for network in listed:
        for name in (network["Name"], network["Id"]):
            assert api.get(f"/networks/{name}").json()["Id"] == network["Id"]
    answer = api.get("/networks/nope")
    assert (answer.status, answer.json()["message"]) == (404, "network nope not found")
    assert api.get("/networks", filters={"driver": ["null"]}).json()[0]["Name"] == "none"
    assert api.get("/networks", filters={"foo": ["x"]}).status == 400


@pytest.mark.parametrize("name", ["bridge", "host", "none"])
def test_a_network_that_is_always_there_is_not_removed(api: Api, name: str) -> None:
    network_id = api.get(f"/networks/{name}").json()["Id"]
    for by in (name, network_id):
        answer = api.delete(f"/networks/{by}", force=1)
        words = f"{name} is a pre-defined network and cannot be removed"
        assert (answer.status, answer.json()["message"]) == (403, words)
    for by in ("podman", network_id):
        answer = api.delete(f"/v5.0.0/libpod/networks/{by}")
        unknown = by == network_id and name != "bridge"  # to Podman it is no network
        said = f"unable to find network with name or ID {by}: network not found"
        words = said if unknown else "default network podman cannot be removed"
        assert (answer.status, answer.json()["message"]) == (404 if unknown else 403, words)
    assert len(api.get("/networks").json()) == 3


def test_a_network_that_is_not_there_cannot_be_removed(api: Api) -> None:
    answer = api.delete("/networks/nope")
    assert (answer.status, answer.json()["message"]) == (404, "network nope not found")
    answer = api.delete("/v5.0.0/libpod/networks/nope")
    assert (answer.status, answer.json()["cause"]) == (404, "network not found")


def test_the_containers_of_a_network_have_an_address_with_a_prefix(api: Api) -> None:
    start(api, HostConfig={"NetworkMode": "bridge"})
    (member,) = api.get("/networks/bridge").json()["Containers"].values()
    assert (member["Name"], member["IPv4Address"]) == ("box", "10.89.0.2/16")


def test_a_volume_of_one_letter_is_podmans_alone(api: Api) -> None:
    answer = api.post("/volumes/create", {"Name": "x"})
    words = "create x: volume name is too short, names should be at least two alphanumeric characters"
    assert (answer.status, answer.json()["message"]) == (400, words)
    assert api.post("/v5.0.0/libpod/volumes/create", {"Name": "x"}).status == 201
    assert api.get("/volumes/x").status == 200


def test_a_volume_is_created_once_and_named_if_nobody_does(api: Api) -> None:
    first = api.post("/volumes/create", {"Name": "db", "Labels": {"a": "b"}})
    again = api.post("/volumes/create", {"Name": "db"})
    assert (first.status, again.status, again.json()) == (201, 201, first.json())
    nameless = api.post("/volumes/create", {})
    assert (nameless.status, len(nameless.json()["Name"])) == (201, 64)
    assert api.get("/volumes/db").json()["Labels"] == {"a": "b"}
    assert [each["Name"] for each in api.get("/volumes").json()["Volumes"]] == sorted(["db", nameless.json()["Name"]])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Name": "/bad"}, 400),
        ({"Name": 5}, 400),
        ({"Name": "xy", "Driver": "nfs"}, 501),
        ({"Name": "xy", "DriverOpts": {"type": "tmpfs"}}, 501),
        ({"Name": "xy", "ClusterVolumeSpec": {}}, 501),
    ],
)
def test_a_volume_that_cannot_be_made_is_refused(api: Api, body: dict[str, Any], status: int) -> None:
    answer = api.post("/volumes/create", body)
    assert answer.status == status
    assert api.get("/volumes").json() == {"Volumes": [], "Warnings": None}


def test_a_missing_volume_is_404_unless_forced(api: Api) -> None:
    answer = api.delete("/volumes/nope")
    assert (answer.status, answer.json()["message"]) == (404, "get nope: no such volume")
    assert api.get("/volumes/nope").status == 404
    assert api.delete("/volumes/nope", force=1).status == 204


def test_a_volume_in_use_stays_and_is_not_dangling(api: Api) -> None:
    start(api, HostConfig={"NetworkMode": "none", "Binds": ["db:/data"]})
    container_id = api.get("/containers/box/json").json()["Id"]
    answer = api.delete("/volumes/db")
    assert (answer.status, answer.json()["message"]) == (409, f"remove db: volume is in use - [{container_id}]")
    assert api.get("/volumes", filters={"dangling": ["true"]}).json()["Volumes"] == []
    assert len(api.get("/volumes", filters={"dangling": ["false"]}).json()["Volumes"]) == 1
    api.delete("/containers/box", force=1)
    assert api.delete("/volumes/db").status == 204
