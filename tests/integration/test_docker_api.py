"""Each route of the Docker flavour once, against the real service, and what clients read in its answers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker import Docker
from tests.support.image_archive import busybox_image, busybox_layer, docker_archive
from tests.support.service import Service

SLEEP: dict[str, Any] = {"Image": "busybox", "Cmd": ["sleep", "100"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


class Client:
    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        got, answer = self._service.request(method, path, body)
        assert got == status, (path, got, answer)
        return json.loads(answer) if answer.startswith((b"{", b"[")) and b"\n{" not in answer else answer

    def create(self, name: str = "box", **body: Any) -> str:
        return str(self("POST", f"/containers/create?name={name}", SLEEP | body, 201)["Id"])

    def start(self, name: str = "box", **body: Any) -> str:
        container = self.create(name, **body)
        self("POST", f"/containers/{name}/start", status=204)
        return container


@pytest.fixture
def call(service: Service) -> Client:
    return Client(service)


def test_the_life_of_a_container(call: Client) -> None:
    container = call.create()
    assert call("GET", "/containers/box/json")["State"]["Status"] == "created"
    call("POST", "/containers/box/start", status=204)
    call("POST", "/containers/box/start", status=304)
    shown = call("GET", f"/containers/{container[:12]}/json")
    assert (shown["State"]["Running"], shown["State"]["Pid"] > 1) == (True, True)
    assert [each["Id"] for each in call("GET", "/containers/json")] == [container]
    call("POST", "/containers/box/stop?t=0", status=204)
    call("POST", "/containers/box/stop?t=0", status=304)
    assert call("POST", "/containers/box/wait") == {"StatusCode": 137, "Error": None}
    call("POST", "/containers/box/restart?t=0", status=204)
    call("DELETE", "/containers/box", status=409)
    call("POST", "/containers/box/kill?signal=KILL", status=204)
    call("POST", "/containers/box/kill", status=409)
    call("DELETE", "/containers/box?v=1", status=204)
    call("GET", "/containers/box/json", status=404)


def test_inspect_gives_back_what_create_was_given(call: Client) -> None:
    host = {
        "NetworkMode": "none",
        "Memory": 64 << 20,
        "CapAdd": ["NET_ADMIN"],
        "ReadonlyRootfs": True,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
        "SecurityOpt": ["no-new-privileges"],
        "Tmpfs": {"/t": "size=1m"},
        "Binds": ["/tmp:/h:ro"],
    }
    body = {"Env": ["A=b"], "Labels": {"x": "y"}, "User": "1", "StopSignal": "SIGINT", "HostConfig": host}
    answer = call("POST", "/containers/create?name=box", SLEEP | body, 201)
    assert any("restart" in warning.lower() for warning in answer["Warnings"])
    shown = call("GET", "/containers/box/json")
    for key, value in host.items():
        assert shown["HostConfig"][key] == value, key
    assert "A=b" in shown["Config"]["Env"]
    assert (shown["Config"]["User"], shown["Config"]["Labels"]["x"]) == ("1", "y")


def test_exec_routes(call: Client) -> None:
    call.start()
    session = call("POST", "/containers/box/exec", {"Cmd": ["echo", "hi"], "AttachStdout": True}, 201)["Id"]
    assert call("GET", f"/exec/{session}/json")["ExitCode"] is None
    assert call("POST", f"/exec/{session}/start", {}) == b"\x01\0\0\0\0\0\0\x03hi\n"
    assert call("GET", f"/exec/{session}/json")["ExitCode"] == 0
    call("POST", f"/exec/{session}/start", {}, 409)
    session = call("POST", "/containers/box/exec", {"Cmd": ["sleep", "50"], "Tty": True}, 201)["Id"]
    call("POST", f"/exec/{session}/start", {"Detach": True})
    call("POST", f"/exec/{session}/resize?h=20&w=30")
    assert call("GET", "/containers/box/json")["ExecIDs"] == [session]


def test_resize_and_attach_routes(call: Client) -> None:
    call.start(Tty=True, Cmd=["sh", "-c", "sleep 1; echo done"])
    call("POST", "/containers/box/resize?h=20&w=30")
    assert call("POST", "/containers/box/attach?stream=1&stdout=1") == b"done\r\n"
    assert call("GET", "/containers/box/logs?stdout=1") == b"done\r\n"


def test_events_tell_the_whole_life_in_order(call: Client) -> None:
    begin = time.time() - 1
    call.start(Labels={"mine": "1"}, Cmd=["sh", "-c", "exit 3"])
    call("POST", "/containers/box/wait")
    call("DELETE", "/containers/box", status=204)
    filters = json.dumps({"type": ["container"], "label": ["mine=1"]})
    raw = call("GET", f"/events?since={begin:.9f}&until={time.time() + 0.2:.9f}&filters={filters}".replace(" ", ""))
    events = [json.loads(line) for line in raw.splitlines()]
    assert [each["Action"] for each in events] == ["create", "start", "die", "destroy"]
    died = events[2]["Actor"]["Attributes"]
    assert (died["exitCode"], died["image"], died["name"], died["mine"]) == ("3", "busybox", "box", "1")


def test_image_routes(call: Client) -> None:
    loaded = call("POST", "/images/load", docker_archive(busybox_image("quay.io/x/y:1", "short:2")))
    assert b"short:2" in (loaded if isinstance(loaded, bytes) else json.dumps(loaded).encode())
    call("POST", "/images/short:2/tag?repo=other&tag=3", status=201)
    shown = call("GET", "/images/quay.io/x/y:1/json")
    assert {"quay.io/x/y:1", "short:2", "other:3"} <= set(shown["RepoTags"])
    assert shown["Os"] == "linux"
    assert call("GET", "/images/other:3/history")
    assert shown["Id"] in [each["Id"] for each in call("GET", "/images/json")]
    imported = call("POST", "/images/create?fromSrc=-&repo=im&tag=1&changes=CMD%20true", busybox_layer())
    assert imported["status"].startswith("sha256:")
    assert call("GET", "/images/im:1/json")["Config"]["Cmd"] is not None
    assert call("DELETE", "/images/im:1") == [{"Untagged": "im:1"}, {"Deleted": imported["status"]}]
    for name in ("quay.io/x/y:1", "short:2", "other:3"):
        call("DELETE", f"/images/{name}")
    call("GET", "/images/short:2/json", status=404)


def test_an_image_in_use_stays(call: Client) -> None:
    call.create()
    call("DELETE", "/images/busybox", status=409)


def test_volume_routes(call: Client) -> None:
    made = call("POST", "/volumes/create", {"Name": "db"}, 201)
    assert call("GET", "/volumes/db") == made
    assert made in call("GET", "/volumes")["Volumes"]
    call("DELETE", "/volumes/db", status=204)
    call("GET", "/volumes/db", status=404)


def test_network_routes(call: Client) -> None:
    assert sorted(each["Name"] for each in call("GET", "/networks")) == ["bridge", "host", "none"]
    bridge = call("GET", "/networks/bridge")
    assert bridge["IPAM"]["Config"][0]["Subnet"].endswith("/16")
    call.start(HostConfig={"NetworkMode": "bridge"})
    settings = call("GET", "/containers/box/json")["NetworkSettings"]
    assert settings["Networks"]["bridge"]["NetworkID"] == bridge["Id"]
    (member,) = call("GET", "/networks/bridge")["Containers"].values()
    assert member["IPv4Address"] == f"{settings['IPAddress']}/16"


def test_a_published_port_is_shown_as_it_is_bound_and_answers(call: Client) -> None:
    call.start(
        Cmd=["sh", "-c", "echo hello | nc -l -p 80"],
        HostConfig={"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostPort": ""}]}},
    )
    (bound,) = call("GET", "/containers/box/json")["NetworkSettings"]["Ports"]["80/tcp"]
    assert bound["HostIp"] == "0.0.0.0"
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", int(bound["HostPort"])), 5) as connection:
                assert connection.recv(100) == b"hello\n"
                break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_system_routes(call: Client, docker: Docker) -> None:
    assert call("GET", "/version")["Version"] == "28.5.2"
    info = call("GET", "/info")
    assert info["Swarm"]["LocalNodeState"] == "inactive"
    assert info["DefaultRuntime"] in info["Runtimes"]
    assert "Server Version: 28.5.2" in docker.ok("info")
    assert "28.5.2" in docker.ok("version")
    call("GET", "/v1.57/version", status=400)
    call("GET", "/v1.23/version", status=400)


def test_the_version_names_the_programs_that_do_the_work(service: Service) -> None:
    components = {each["Name"]: each["Version"] for each in Client(service)("GET", "/version")["Components"]}
    for program in ("conmon", "skopeo", "netavark"):
        assert components[program][:1].isdigit(), components


def test_the_service_may_have_as_many_descriptors_as_it_is_allowed(service: Service) -> None:
    lines = Path(f"/proc/{service.pid}/limits").read_text().splitlines()
    ((soft, hard),) = ([line.split()[3], line.split()[4]] for line in lines if line.startswith("Max open files"))
    assert soft == hard
