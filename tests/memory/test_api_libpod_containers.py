from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from apiserver.engine.ports.images import Image, ImageConfig
from tests.support.api import Api
from tests.support.engine import IMAGE, NOON

CONTAINERS = "/v5.0.0/libpod/containers"
PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def create(api: Api, name: str = "box", **body: Any) -> str:
    answer = api.post("/containers/create", PLAIN | body, name=name)
    assert answer.status == 201
    container_id: str = answer.json()["Id"]
    return container_id


def start(api: Api, name: str = "box", **body: Any) -> str:
    container_id = create(api, name, **body)
    assert api.post(f"/containers/{name}/start").status == 204
    return container_id


def names(api: Api, **query: Any) -> list[str]:
    return sorted(each["Names"][0] for each in api.get(f"{CONTAINERS}/json", **query).json())


def test_a_listing_shows_what_runs_unless_asked_for_more(api: Api) -> None:
    start(api)
    create(api, "idle")
    assert names(api) == ["box"]
    assert names(api, all="true") == ["box", "idle"]
    assert len(names(api, limit=1)) == 1


def test_an_entry_has_no_slash_and_no_prefix(api: Api) -> None:
    container_id = start(api, HostConfig={"NetworkMode": "bridge"})
    (shown,) = api.get(f"{CONTAINERS}/json").json()
    assert (shown["Id"], shown["Names"], shown["State"], shown["Exited"]) == (container_id, ["box"], "running", False)
    assert (shown["Networks"], len(shown["ImageID"]), shown["Size"]) == (["podman"], 64, None)
    api.engine.exit(3)
    (shown,) = api.get(f"{CONTAINERS}/json", all="true").json()
    assert (shown["State"], shown["Exited"], shown["ExitCode"], shown["Pid"]) == ("exited", True, 3, 0)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"name": ["^b"]}, ["box"]),
        ({"status": ["created"]}, ["idle"]),
        ({"status": ["running", "created"]}, ["box", "idle"]),
        ({"label": ["a=b"]}, ["box"]),
        ({"label!": ["a"]}, ["idle"]),
        ({"ancestor": ["busybox"]}, ["box", "idle"]),
        ({"exited": ["0"]}, []),
        ({"network": ["podman"]}, ["box"]),
        ({"network": ["nope"]}, []),
        ({"restart-policy": ["none"]}, ["box", "idle"]),
        ({"command": ["tr"]}, ["box", "idle"]),
        ({"health": ["healthy"]}, []),
        ({"pod": ["x"]}, []),
        ({"volume": ["/data"]}, []),
        ({"until": ["1"]}, []),
        ({"before": ["box"]}, []),
        ({"since": ["box"]}, []),
        ({"should-start-on-boot": ["false"]}, ["box", "idle"]),
    ],
)
def test_filters_of_containers_are_podmans(api: Api, filters: dict[str, list[str]], found: list[str]) -> None:
    start(api, Labels={"a": "b"}, HostConfig={"NetworkMode": "bridge"})
    create(api, "idle")
    assert names(api, filters=filters) == found


def test_a_filter_that_makes_no_sense_is_refused(api: Api) -> None:
    for filters in ({"nonsense": ["x"]}, {"status": ["gone"]}, {"exited": ["x"]}):
        assert api.get(f"{CONTAINERS}/json", filters=filters).status == 400
    assert api.get(f"{CONTAINERS}/json", filters={"since": ["nope"]}).status == 404


@pytest.mark.parametrize("mode", ["none", "host"])
def test_podman_is_told_of_ports_that_go_nowhere_and_docker_on_the_hosts_network_alone(api: Api, mode: str) -> None:
    spec = {"image": "busybox", "name": "box", "netns": {"nsmode": mode}, "portmappings": [{"container_port": 80}]}
    words = "Port mappings have been discarded as one of the Host, Container, Pod, and None network modes are in use"
    assert api.post(f"{CONTAINERS}/create", spec).json()["Warnings"] == [words]
    assert api.get(f"{CONTAINERS}/box/json").json()["HostConfig"]["PortBindings"] == {}
    assert api.post(f"{CONTAINERS}/create", spec | {"name": "b", "portmappings": []}).json()["Warnings"] == []
    published = {"NetworkMode": mode, "PortBindings": {"80/tcp": [{"HostPort": "8099"}]}}
    dockers = api.post("/containers/create", PLAIN | {"HostConfig": published}, name="theirs").json()["Warnings"]
    assert dockers == (["Published ports are discarded when using host network mode"] if mode == "host" else [])
    bindings = api.get("/containers/theirs/json").json()["HostConfig"]["PortBindings"]
    assert bindings == {"80/tcp": [{"HostIp": "", "HostPort": "8099"}]}


def test_a_missing_container_is_404_in_podmans_words(api: Api) -> None:
    for path in ("exists", "json"):
        answer = api.get(f"{CONTAINERS}/nope/{path}")
        assert (answer.status, answer.json()["cause"]) == (404, "no such container")
    assert answer.json()["message"] == 'no container with name or ID "nope" found: no such container'
    removed = api.delete(f"{CONTAINERS}/nope")
    words = 'no container with ID or name "nope" found: no such container'
    assert (removed.status, removed.json()["message"]) == (404, words)


def test_an_inspection_is_in_podmans_shape(api: Api) -> None:
    start(api, HostConfig={"NetworkMode": "bridge", "Binds": ["db:/data"]}, Entrypoint=["/bin/sh", "-c"])
    assert api.get(f"{CONTAINERS}/box/exists").status == 204
    shown = api.get(f"{CONTAINERS}/box/json").json()
    assert (shown["Name"], len(shown["Image"]), shown["State"]["Status"]) == ("box", 64, "running")
    assert shown["NetworkSettings"]["Networks"]["podman"]["IPAddress"] == "10.89.0.2"
    assert shown["HostConfig"]["NetworkMode"] == "bridge"
    assert (shown["Config"]["Entrypoint"], shown["Config"]["StopSignal"]) == (["/bin/sh", "-c"], "SIGTERM")
    assert (shown["Mounts"][0]["Name"], shown["Mounts"][0]["Propagation"]) == ("db", "rprivate")


def test_before_5_an_entrypoint_is_a_text_and_a_signal_a_number(api: Api) -> None:
    create(api, Entrypoint=["/bin/sh", "-c"])
    config = api.get("/v4.3.1/libpod/containers/box/json").json()["Config"]
    assert (config["Entrypoint"], config["StopSignal"]) == ("/bin/sh -c", 15)


def test_a_listing_has_the_namespaces_of_what_has_a_process_where_they_are_asked_for(api: Api) -> None:
    start(api)
    create(api, "idle")
    assert api.get(f"{CONTAINERS}/json").json()[0]["Namespaces"] == {}
    for name in ("namespace", "namespaces"):
        shown = {each["Names"][0]: each for each in api.get(f"{CONTAINERS}/json", all="true", **{name: "true"}).json()}
        assert sorted(shown["box"]["Namespaces"]) == ["Cgroup", "Ipc", "Mnt", "Net", "Pidns", "User", "Uts"]
        assert shown["box"]["Namespaces"]["Mnt"].isdecimal()
        assert shown["idle"]["Namespaces"] == {}
    api.engine.exit(0)
    assert api.get(f"{CONTAINERS}/json", all="true", namespace="true").json()[0]["Namespaces"] == {}


def test_the_last_ones_are_the_newest_whether_they_run_or_not_and_a_sync_changes_nothing(api: Api) -> None:
    start(api)
    for name in ("middle", "new"):
        api.engine.clock.advance(1)
        create(api, name)
    assert names(api, last=2) == names(api, limit=2, sync="true") == ["middle", "new"]
    assert names(api, last=-1, sync="1") == ["box"]
    assert api.get(f"{CONTAINERS}/json", sync="maybe").status == 400
    assert api.get(f"{CONTAINERS}/json", last="x").status == 400


def test_a_listing_begins_with_the_oldest(api: Api) -> None:
    for name in ("one", "two", "three"):
        api.engine.clock.advance(1)
        create(api, name)
    listed = [each["Names"][0] for each in api.get(f"{CONTAINERS}/json", all="true").json()]
    assert listed == ["one", "two", "three"]
    assert [each["Names"][0] for each in api.get(f"{CONTAINERS}/json", last=2).json()] == ["two", "three"]


@pytest.mark.parametrize("image", ["busybox", IMAGE])
def test_a_container_of_podmans_is_of_an_image_by_its_whole_name(api: Api, image: str) -> None:
    api.post(f"{CONTAINERS}/create", {"name": "box", "image": image, "netns": {"nsmode": "none"}})
    (shown,) = api.get(f"{CONTAINERS}/json", all="true").json()
    assert shown["Image"] == "docker.io/library/busybox:latest"
    api.image_source.add(Image(IMAGE, (shown["Image"],), (), NOON, 1, ImageConfig()))
    create(api, "theirs", Image=image)
    assert [each["Image"] for each in api.get("/containers/json", all="true", filters={"name": ["theirs"]}).json()] == [
        image
    ]
