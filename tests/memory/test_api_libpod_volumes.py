from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.support.api import Api

VOLUMES, NETWORKS = "/v5.0.0/libpod/volumes", "/v5.0.0/libpod/networks"
PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def start(api: Api, **host: Any) -> None:
    body = PLAIN | {"HostConfig": {"NetworkMode": "none"} | host}
    assert api.post("/containers/create", body, name="box").status == 201
    assert api.post("/containers/box/start").status == 204


def test_a_volume_is_made_once_unless_the_client_takes_the_old_one(api: Api) -> None:
    first = api.post(f"{VOLUMES}/create", {"Name": "db", "Label": {"a": "b"}, "Labels": {"c": "d"}})
    assert (first.status, first.json()["Labels"], first.json()["Options"]) == (201, {"a": "b", "c": "d"}, {})
    again = api.post(f"{VOLUMES}/create", {"Name": "db"})
    assert (again.status, again.json()["cause"]) == (409, "volume already exists")
    taken = api.post(f"{VOLUMES}/create", {"Name": "db", "IgnoreIfExists": True})
    assert (taken.status, taken.json()) == (201, first.json())


def test_a_nameless_volume_is_anonymous(api: Api) -> None:
    made = api.post(f"{VOLUMES}/create", {}).json()
    assert (len(made["Name"]), made["Anonymous"]) == (64, True)
    assert [each["Name"] for each in api.get(f"{VOLUMES}/json", filters={"anonymous": ["true"]}).json()] == [
        made["Name"]
    ]


def test_a_missing_volume_is_404_in_podmans_words(api: Api) -> None:
    for answer in (api.get(f"{VOLUMES}/nope/json"), api.get(f"{VOLUMES}/nope/exists"), api.delete(f"{VOLUMES}/nope")):
        assert (answer.status, answer.json()["cause"]) == (404, "no such volume")
    assert answer.json()["message"] == 'no volume with name "nope" found: no such volume'
    assert api.delete(f"{VOLUMES}/nope", force="true").status == 404


def test_a_volume_in_use_goes_with_its_containers_if_forced(api: Api) -> None:
    start(api, Binds=["db:/data"])
    assert api.get(f"{VOLUMES}/db/exists").status == 204
    assert api.get(f"{VOLUMES}/db/json").json()["MountCount"] == 1
    refused = api.delete(f"{VOLUMES}/db")
    assert (refused.status, refused.json()["cause"]) == (409, "volume is being used")
    assert api.delete(f"{VOLUMES}/db", force="true").status == 204
    assert api.get("/containers/json", all="1").json() == []


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["db", "web"]),
        ({"name": ["^d"]}, ["db"]),
        ({"label": ["a"]}, ["db"]),
        ({"label": ["a="]}, ["db"]),
        ({"label!": ["a=b"]}, ["web"]),
        ({"dangling": ["true", "false"]}, ["db", "web"]),
        ({"dangling": ["false"]}, []),
        ({"driver": ["nfs"]}, []),
        ({"scope": ["local"]}, ["db", "web"]),
        ({"until": ["1"]}, []),
        ({"since": ["db"]}, []),
    ],
)
def test_filters_of_volumes_are_podmans(api: Api, filters: dict[str, list[str]], names: list[str]) -> None:
    api.post(f"{VOLUMES}/create", {"Name": "web"})
    api.post(f"{VOLUMES}/create", {"Name": "db", "Labels": {"a": "b"}})
    listed = api.get(f"{VOLUMES}/json", filters=filters)
    assert [each["Name"] for each in listed.json()] == names


@pytest.mark.parametrize(
    "filters", [{"nonsense": ["x"]}, {"dangling": ["maybe"]}, {"until": ["1", "2"]}, {"name": ["(a+)+"]}]
)
def test_a_filter_that_makes_no_sense_is_refused(api: Api, filters: dict[str, list[str]]) -> None:
    api.post(f"{VOLUMES}/create", {"Name": "web"})
    assert api.get(f"{VOLUMES}/json", filters=filters).status == 400


def test_what_a_volume_cannot_have_is_refused(api: Api) -> None:
    assert api.post(f"{VOLUMES}/create", {"Name": "x", "UID": 5}).status == 501
    assert api.post(f"{VOLUMES}/create", {"Name": "x", "Options": {"type": "tmpfs"}}).status == 501
    assert api.post(f"{VOLUMES}/create", {"Name": "/x"}).status == 400
    assert api.get(f"{VOLUMES}/json").json() == []


def test_podman_is_the_one_network_and_modes_of_a_container_are_none(api: Api) -> None:
    (podman,) = api.get(f"{NETWORKS}/json").json()
    assert podman["name"] == "podman"
    assert api.get(f"{NETWORKS}/podman/exists").status == 204
    assert api.get(f"{NETWORKS}/{podman['id']}/exists").status == 204
    for name in ("host", "none", "bridge", "default", "nope"):
        for missing in (api.get(f"{NETWORKS}/{name}{path}") for path in ("/exists", "/json", "")):
            assert (missing.status, missing.json()["cause"]) == (404, "network not found")
    shown = api.get(f"{NETWORKS}/podman/json").json()
    assert shown["subnets"] == [{"subnet": "10.89.0.0/16", "gateway": "10.89.0.1"}]
    assert (shown["ipam_options"], shown["network_interface"]) == ({"driver": "host-local"}, "apiserver0")


def test_a_network_shows_who_is_on_it(api: Api) -> None:
    start(api, NetworkMode="bridge")
    (member,) = api.get(f"{NETWORKS}/podman/json").json()["containers"].values()
    assert member["name"] == "box"
    assert member["interfaces"]["eth0"]["subnets"] == [{"ipnet": "10.89.0.2/16"}]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"name": ["od"]}, ["podman"]),
        ({"driver": ["bridge"]}, ["podman"]),
        ({"driver": ["host"]}, []),
        ({"driver": ["bri"]}, []),
        ({"label!": ["x"]}, ["podman"]),
        ({"dangling": ["true"]}, []),
        ({"dangling": ["false"]}, ["podman"]),
        ({"label": ["x"]}, []),
        ({"until": ["1"]}, []),
    ],
)
def test_filters_of_networks_are_podmans(api: Api, filters: dict[str, list[str]], names: list[str]) -> None:
    assert [each["name"] for each in api.get(f"{NETWORKS}/json", filters=filters).json()] == names
    assert api.get(f"{NETWORKS}/json", filters={"nonsense": ["x"]}).status == 400


def test_an_id_is_its_beginning_in_either_case_or_an_expression(api: Api) -> None:
    [whole] = [each["id"] for each in api.get(f"{NETWORKS}/json").json()]
    for wanted, found in ((whole[:4].upper(), 1), (f"0{whole[1:]}", 0), (f"{whole[-4:]}$", 1), ("^x", 0), ("(", 0)):
        assert len(api.get(f"{NETWORKS}/json", filters={"id": [wanted]}).json()) == found, wanted
