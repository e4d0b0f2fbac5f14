"""Fields of Docker's API that real clients decide by, and that other implementations have had wrong.

Each rule broke a client somewhere: docker-py, testcontainers, compose, Traefik, Portainer, Ansible, watchtower.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.image_archive import busybox_image, docker_archive
from tests.support.service import Service, UnixConnection

IMAGE = "fields:1"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
NEVER = "0001-01-01T00:00:00Z"
VERSIONS = pytest.mark.parametrize("version", ["", "/v1.24", "/v1.41", "/v1.51"])
WORDS = {"created", "running", "paused", "restarting", "removing", "exited", "dead"}


class Call:
    def __init__(self, service: Service) -> None:
        self.service = service

    def __call__(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        got, answer = self.service.request(method, path, body)
        assert got == status, (path, got, answer)
        return json.loads(answer) if answer else None

    def records(self, path: str) -> list[Any]:
        status, answer = self.service.request("GET", path)
        assert status == 200, answer
        return [json.loads(line) for line in answer.splitlines()]

    def create(self, name: str, status: int = 201, **body: Any) -> Any:
        sleeping: dict[str, Any] = {"Image": IMAGE, "Cmd": ["sleep", "1000"]}
        return self("POST", f"/containers/create?name={name}", sleeping | body, status=status)

    def run(self, name: str, **body: Any) -> str:
        made = self.create(name, **body)
        self("POST", f"/containers/{name}/start", status=204)
        return str(made["Id"])

    def inspect(self, name: str, version: str = "") -> Any:
        return self("GET", f"{version}/containers/{name}/json")

    def listed(self, name: str, query: str = "all=1", version: str = "") -> Any:
        (entry,) = [e for e in self("GET", f"{version}/containers/json?{query}") if e["Names"] == [f"/{name}"]]
        return entry


@pytest.fixture(scope="module")
def call(service: Service) -> Iterator[Call]:
    image = busybox_image(IMAGE, ExposedPorts={"81/tcp": {}}, Volumes={"/of-image": {}}, Labels={"of": "image"})
    assert service.request("POST", "/images/load?quiet=1", docker_archive(image))[0] == 200
    yield Call(service)
    service.remove_containers()
    assert service.request("DELETE", f"/images/{IMAGE}?force=1")[0] == 200


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


# --- version and info ---


@VERSIONS
def test_versions_are_plain_digits_and_our_own_name_is_a_component(call: Call, version: str) -> None:
    shown = call("GET", f"{version}/version")
    for key in ("ApiVersion", "MinAPIVersion"):
        assert re.fullmatch(r"1\.\d+", shown[key])
    assert re.fullmatch(r"\d+\.\d+\.\d+", shown["Version"])
    assert int(shown["Version"].split(".")[0]) >= 25
    assert call("GET", f"{version}/info")["ServerVersion"] == shown["Version"]
    assert "apiserver" in [component["Name"] for component in shown["Components"]]


def test_a_version_that_is_not_served_yet_is_refused_in_the_words_that_clients_parse(call: Call) -> None:
    said = call("GET", "/v1.99/version", status=400)["message"]
    assert said == "client version 1.99 is too new. Maximum supported API version is 1.56"


@pytest.mark.parametrize("path", ["/_ping", "/v1.24/_ping", "/v1.51/_ping"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_ping_has_the_headers_by_which_clients_choose(service: Service, method: str, path: str) -> None:
    connection = UnixConnection(service.socket, 10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    assert (answer.status, said) == (200, b"OK" if method == "GET" else b"")
    assert re.fullmatch(r"1\.\d+", answer.headers["Api-Version"])
    # With 2 the command line would want BuildKit.
    assert (answer.headers["Builder-Version"], answer.headers["Ostype"]) == ("1", "linux")
    assert answer.headers["Docker-Experimental"] == "false", "as the version says"


# --- an inspection ---


@VERSIONS
def test_the_image_is_an_id_in_an_inspection_and_a_name_in_a_listing(call: Call, version: str) -> None:
    call.run("box")
    shown, entry = call.inspect("box", version), call.listed("box", version=version)
    image_id = call("GET", f"/images/{IMAGE}/json")["Id"]
    assert image_id.startswith("sha256:")
    assert (shown["Image"], shown["Config"]["Image"]) == (image_id, IMAGE)
    assert (entry["Image"], entry["ImageID"]) == (IMAGE, image_id)


def test_what_is_named_with_a_slash_or_has_a_target_with_one_is_the_same(call: Call) -> None:
    body: dict[str, Any] = {"Image": IMAGE, "Volumes": {"/data/": {}}, "HostConfig": {"Binds": ["kept:/data"]}}
    call("POST", "/containers/create?name=/box", body, status=201)
    targets = [mount["Destination"] for mount in call.inspect("box")["Mounts"]]
    assert sorted(targets) == ["/data", "/of-image"]
    call.create("box", 409)
    call("DELETE", "/containers/box?v=1", status=204)
    call("DELETE", "/volumes/kept", status=204)


def test_a_mount_object_whose_source_is_missing_is_refused_in_dockers_words(call: Call) -> None:
    mount = {"Type": "bind", "Source": "/not/there", "Target": "/t"}
    said = call.create("box", 400, HostConfig={"Mounts": [mount]})["message"]
    assert said == 'invalid mount config for type "bind": bind source path does not exist: /not/there'


def test_a_missing_image_is_told_so_that_clients_pull_it(call: Call) -> None:
    said = call.create("box", 404, Image="not-here:1")["message"]
    assert "no such image: not-here:1" in said.lower()


@VERSIONS
def test_times_are_rfc_3339_and_the_year_one_where_there_is_none(call: Call, version: str) -> None:
    call.create("box")
    created = call.inspect("box", version)
    assert (created["State"]["StartedAt"], created["State"]["FinishedAt"]) == (NEVER, NEVER)
    call("POST", "/containers/box/start", status=204)
    running = call.inspect("box", version)
    assert RFC_3339.fullmatch(running["Created"])
    assert RFC_3339.fullmatch(running["State"]["StartedAt"])
    assert running["State"]["FinishedAt"] == NEVER
    call("POST", "/containers/box/kill", status=204)
    call("POST", "/containers/box/wait")
    assert RFC_3339.fullmatch(call.inspect("box", version)["State"]["FinishedAt"])


def test_states_are_dockers_words_alone_and_health_is_absent_where_there_is_no_check(call: Call) -> None:
    seen = []
    call.create("box")
    seen.append(call.inspect("box")["State"])
    call("POST", "/containers/box/start", status=204)
    seen.append(call.inspect("box")["State"])
    call("POST", "/containers/box/stop?t=0", status=204)
    seen.append(call.inspect("box")["State"])
    assert [state["Status"] for state in seen] == ["created", "running", "exited"]
    assert {state["Status"] for state in seen} <= WORDS
    assert not any("Health" in state for state in seen)


# --- networks and ports ---


@VERSIONS
@pytest.mark.parametrize(
    ("mode", "name"), [("default", "bridge"), ("bridge", "bridge"), ("host", "host"), ("none", "none")]
)
def test_networks_are_never_empty_and_have_the_id_of_the_network(
    call: Call, version: str, mode: str, name: str
) -> None:
    call.run("box", HostConfig={"NetworkMode": mode})
    network = call("GET", f"/networks/{name}")["Id"]
    assert re.fullmatch(r"[0-9a-f]{64}", network)
    for shown in (call.inspect("box", version), call.listed("box", version=version)):
        networks = shown["NetworkSettings"]["Networks"]
        assert list(networks) == [name]
        assert networks[name]["NetworkID"] == network
    assert call.listed("box")["HostConfig"]["NetworkMode"] in (mode, name)


def test_a_network_can_be_named_by_its_id(call: Call) -> None:
    network = call("GET", "/networks/bridge")["Id"]
    endpoints = {"EndpointsConfig": {network: {"MacAddress": "02:42:0a:59:77:01"}}}
    call.run("box", HostConfig={"NetworkMode": network}, NetworkingConfig=endpoints)
    ((_, endpoint),) = call.inspect("box")["NetworkSettings"]["Networks"].items()
    assert endpoint["NetworkID"] == network
    assert endpoint["MacAddress"] == "02:42:0a:59:77:01"


def test_addresses_are_flat_until_1_51_and_in_the_network_always(call: Call) -> None:
    call.run("box")
    old, new = (call.inspect("box", version)["NetworkSettings"] for version in ("/v1.51", "/v1.52"))
    for key in ("IPAddress", "Gateway", "MacAddress"):
        assert old[key] == old["Networks"]["bridge"][key] == new["Networks"]["bridge"][key] != ""
        assert key not in new


def test_a_random_port_is_bound_to_an_address_and_what_is_only_exposed_is_null(call: Call) -> None:
    host = {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}]}}
    call.run("box", HostConfig=host, ExposedPorts={"82/udp": {}})
    ports = call.inspect("box")["NetworkSettings"]["Ports"]
    assert ports.keys() == {"80/tcp", "81/tcp", "82/udp"}
    assert (ports["81/tcp"], ports["82/udp"]) == (None, None)
    for binding in ports["80/tcp"]:
        assert binding["HostIp"] in ("0.0.0.0", "::")
        assert int(binding["HostPort"]) > 1023
    assert call.inspect("box")["HostConfig"]["PortBindings"] == host["PortBindings"]
    listed = {port["PrivatePort"]: port for port in call.listed("box")["Ports"]}
    assert listed[80]["PublicPort"] == int(ports["80/tcp"][0]["HostPort"])
    assert "PublicPort" not in listed[81]


def test_the_three_networks_are_listed_and_inspected_by_name(call: Call) -> None:
    listed = {network["Name"]: network for network in call("GET", "/networks")}
    assert {name: network["Driver"] for name, network in listed.items()} == {
        "bridge": "bridge",
        "host": "host",
        "none": "null",
    }
    assert all(call("GET", f"/networks/{name}")["Id"] == network["Id"] for name, network in listed.items())


def test_containers_of_a_network_have_addresses_with_a_prefix(call: Call) -> None:
    container = call.run("box")
    entry = call("GET", "/networks/bridge")["Containers"][container]
    assert entry["Name"] == "box"
    assert re.fullmatch(r"[\d.]+/\d+", entry["IPv4Address"])


# --- a listing ---


@pytest.mark.parametrize("query", ["all=1&limit=0", "all=1&limit=-1", "all=true"])
def test_a_limit_of_zero_or_less_is_none(call: Call, query: str) -> None:
    for number in range(3):
        call.create(f"box{number}")
    assert len(call("GET", f"/containers/json?{query}")) == 3


def test_a_listing_has_ports_networks_mounts_labels_and_the_command(call: Call) -> None:
    call.run("box", Labels={"mine": "yes"})
    entry = call.listed("box")
    assert [mount["Destination"] for mount in entry["Mounts"]] == ["/of-image"]
    assert entry["Labels"] == {"mine": "yes", "of": "image"}
    assert (entry["Command"], entry["State"]) == ("sleep 1000", "running")
    assert entry["Status"].startswith("Up ")
    assert isinstance(entry["Created"], int)
    assert entry["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]


def test_filters_are_and_between_keys_and_or_within_one(call: Call) -> None:
    call.create("one", Labels={"a": "1", "b": "1"})
    call.create("two", Labels={"a": "1"})
    call.create("three", Labels={"b": "1"})

    def names(filters: dict[str, list[str]]) -> set[str]:
        encoded = json.dumps(filters).replace(" ", "%20").replace('"', "%22").replace("{", "%7B").replace("}", "%7D")
        return {entry["Names"][0] for entry in call("GET", f"/containers/json?all=1&filters={encoded}")}

    assert names({"name": ["one", "two"], "label": ["b=1"]}) == {"/one"}
    assert names({"label": ["a=1", "b=1"]}) == {"/one"}
    assert names({"name": ["two", "three"]}) == {"/two", "/three"}


# --- its end, execs ---


def test_a_wait_says_null_where_nothing_went_wrong(call: Call) -> None:
    call.run("box", Cmd=["sh", "-c", "exit 3"])
    assert call("POST", "/containers/box/wait") == {"Error": None, "StatusCode": 3}


@pytest.mark.parametrize(("program", "code"), [("/not-there", 127), ("/etc", 126)])
def test_an_exec_of_what_cannot_run_has_its_code_in_an_inspection(call: Call, program: str, code: int) -> None:
    call.run("box", User="0")
    made = call("POST", "/containers/box/exec", {"Cmd": [program]}, status=201)["Id"]
    before = call("GET", f"/exec/{made}/json")
    assert (before["ExitCode"], before["Running"], before["ProcessConfig"]["user"]) == (None, False, "0")
    call.service.request("POST", f"/exec/{made}/start", {"Detach": True})
    deadline = time.monotonic() + 10
    while call("GET", f"/exec/{made}/json")["ExitCode"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert call("GET", f"/exec/{made}/json")["ExitCode"] == code


def test_top_has_lists_of_titles_and_rows(call: Call) -> None:
    call.run("box")
    shown = call("GET", "/containers/box/top")
    assert all(isinstance(title, str) for title in shown["Titles"])
    assert [len(row) for row in shown["Processes"]] == [len(shown["Titles"])]


def test_nothing_that_was_asked_for_is_lost_in_silence(call: Call) -> None:
    asked: dict[str, Any] = {
        "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}],
        "NanoCpus": 500_000_000,
        "Tmpfs": {"/t": "size=1m,mode=700"},
        "DeviceCgroupRules": ["c 1:3 rwm"],
        "Runtime": call("GET", "/info")["DefaultRuntime"],
        "CgroupnsMode": "private",
        "CapAdd": ["NET_ADMIN"],
    }
    call.create("box", HostConfig=asked)
    shown = call.inspect("box")["HostConfig"]
    assert {key: shown[key] for key in asked} == asked
    for refused in ({"StorageOpt": {"size": "1G"}}, {"DeviceRequests": [{"Count": 1, "Capabilities": [["gpu"]]}]}):
        status, answer = call.service.request("POST", "/containers/create", {"Image": IMAGE, "HostConfig": refused})
        assert status >= 400
        assert next(iter(refused)) in json.loads(answer)["message"]


def test_a_health_check_can_be_disabled_and_is_kept(call: Call) -> None:
    call.create("none", Healthcheck={"Test": ["NONE"]})
    assert call.inspect("none")["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    call.create("plain", Healthcheck={"Test": ["true"]})
    assert call.inspect("plain")["Config"]["Healthcheck"] == {"Test": ["true"]}


# --- events ---


def test_events_of_a_life_have_dockers_words_and_the_attributes_that_clients_read(call: Call) -> None:
    since = time.time()
    container = call.run("box", Cmd=["sh", "-c", "exit 3"], Labels={"mine": "yes"}, HostConfig={"Binds": ["ev:/v"]})
    call("POST", "/containers/box/wait")
    call("DELETE", "/containers/box?v=1", status=204)
    told = call.records(f"/events?since={since:.6f}&until={time.time():.6f}")
    words = [event["Action"] for event in told if event["Type"] == "container"]
    assert words == ["create", "start", "die", "destroy"]
    (died,) = [event for event in told if event["Action"] == "die"]
    assert died["Actor"]["ID"] == died["id"] == container
    attributes = died["Actor"]["Attributes"]
    assert attributes.items() >= {"exitCode": "3", "image": IMAGE, "name": "box", "mine": "yes", "of": "image"}.items()
    assert (died["scope"], died["status"], died["from"]) == ("local", "die", IMAGE)
    assert died["time"] == died["timeNano"] // 1_000_000_000
    joins = {event["Action"]: event["Actor"] for event in told if event["Type"] == "network"}
    assert joins.keys() == {"connect", "disconnect"}
    for actor in joins.values():
        assert actor["Attributes"] == {"container": container, "name": "bridge", "type": "bridge"}
    mounted = [(e["Action"], e["Actor"]["ID"]) for e in told if e["Type"] == "volume" and e["Actor"]["ID"] == "ev"]
    assert mounted == [("create", "ev"), ("mount", "ev"), ("unmount", "ev")]
    call("DELETE", "/volumes/ev", status=204)


def test_events_are_filtered_by_dockers_word(call: Call) -> None:
    since = time.time()
    call.run("box", Cmd=["true"])
    call("POST", "/containers/box/wait")
    filters = "%7B%22event%22:%5B%22die%22%5D%7D"
    (event,) = call.records(f"/events?since={since:.6f}&until={time.time():.6f}&filters={filters}")
    assert event["Action"] == "die"


def test_an_event_has_no_flat_fields_from_1_52_on(call: Call) -> None:
    since = time.time()
    call.create("box")
    (old, *_), (new, *_) = (
        call.records(
            f"{version}/events?since={since:.6f}&until={time.time():.6f}&filters=%7B%22type%22:%5B%22container%22%5D%7D"
        )
        for version in ("/v1.51", "/v1.52")
    )
    assert {"status", "id", "from"} <= old.keys()
    assert {"status", "id", "from"}.isdisjoint(new)


def test_the_removal_of_an_image_is_untag_and_delete(call: Call) -> None:
    other = busybox_image("gone:1", Labels={"another": "one"})
    assert call.service.request("POST", "/images/load?quiet=1", docker_archive(other))[0] == 200
    since = time.time()
    call("DELETE", "/images/gone:1")
    told = [e for e in call.records(f"/events?since={since:.6f}&until={time.time():.6f}") if e["Type"] == "image"]
    assert [event["Action"] for event in told] == ["untag", "delete"]


# --- images and volumes ---


def test_names_of_images_are_dockers_and_all_fields_of_a_listing_are_there(call: Call) -> None:
    call("POST", f"/images/{IMAGE}/tag?repo=alias&tag=2", status=201)
    (entry,) = [each for each in call("GET", "/images/json") if IMAGE in each["RepoTags"]]
    assert sorted(entry["RepoTags"]) == ["alias:2", IMAGE]
    assert entry["Id"].startswith("sha256:")
    assert {"ParentId", "Labels", "Containers", "SharedSize", "Size", "Created", "RepoDigests"} <= entry.keys()
    assert (entry["SharedSize"], entry["Labels"]) == (-1, {"of": "image"})
    shown = call("GET", "/images/alias:2/json")
    assert (shown["Os"], shown["RootFS"]["Type"], len(shown["RootFS"]["Layers"])) == ("linux", "layers", 1)
    assert shown["Architecture"]
    call("DELETE", "/images/alias:2")


def test_a_listing_says_what_images_share_where_it_is_asked_to(call: Call) -> None:
    other = busybox_image("shares:1", Labels={"of": "another"})
    assert call.service.request("POST", "/images/load?quiet=1", docker_archive(other))[0] == 200
    listed = {each["RepoTags"][0]: each for each in call("GET", "/images/json?shared-size=1") if each["RepoTags"]}
    call("DELETE", "/images/shares:1")
    for entry in (listed[IMAGE], listed["shares:1"]):  # of one layer, and the same
        assert entry["SharedSize"] == entry["Size"] > 0
        assert entry["Containers"] >= 0


def test_a_load_names_each_image_of_the_archive(call: Call) -> None:
    two = [busybox_image(name, Labels={"name": name}) for name in ("first:1", "quay.example/second:2")]
    status, said = call.service.request("POST", "/images/load", docker_archive(*two))
    streams = [json.loads(line).get("stream") for line in said.splitlines()]
    assert (status, streams) == (200, ["Loaded image: first:1\n", "Loaded image: quay.example/second:2\n"])
    for name in ("first:1", "quay.example/second:2"):
        call("DELETE", f"/images/{name}")


def test_a_history_has_ids_of_images_or_says_missing(call: Call) -> None:
    ids = [step["Id"] for step in call("GET", f"/images/{IMAGE}/history")]
    assert ids[0].startswith("sha256:")
    assert all(each == "<missing>" for each in ids[1:])


def test_an_image_in_use_and_a_name_that_is_taken_are_conflicts(call: Call) -> None:
    call.run("box")
    call("DELETE", f"/images/{IMAGE}", status=409)
    call.create("box", 409)


def test_a_volume_gets_a_name_and_an_existing_one_is_given_again(call: Call) -> None:
    nameless = call("POST", "/volumes/create", {}, status=201)
    assert re.fullmatch(r"[0-9a-f]{64}", nameless["Name"])
    labels, options = {"a": "b"}, {"type": "tmpfs"}
    made = call("POST", "/volumes/create", {"Name": "kept", "Labels": labels}, status=201)
    again = call("POST", "/volumes/create", {"Name": "kept"}, status=201)
    assert again == made
    assert made["Labels"] == labels
    assert call.service.request("POST", "/volumes/create", {"Name": "other", "DriverOpts": options})[0] >= 400
    for name in (nameless["Name"], "kept"):
        call("DELETE", f"/volumes/{name}", status=204)
