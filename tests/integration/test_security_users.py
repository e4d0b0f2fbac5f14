"""Who a container's processes are: users, groups and capabilities, however a client writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.docker import Docker
from tests.support.service import Service

RUN = ("run", "--rm", "--network", "none")
STATUS = "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t ' ' '"


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


@pytest.fixture
def box(docker: Docker) -> str:
    """A container that runs as root, with the capabilities that all have."""
    return docker.ok("run", "-d", "--network", "none", "busybox", "sleep", "100")


def status(text: str) -> dict[str, str]:
    parts = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in parts}


COULD_BE_ROOT = (
    *("4294967296", "4294967295", "2147483648", "-1", "+0", "0x0", "0X0", "00", "01000", " 0", "0 "),
    *("root\n", "root\0", "ro ot", "0:-1", "0:4294967296", "0:0x0", "0:0\n", "::", "a:b:c", "٠", "root:root:root"),
)
"""What some parser or other takes for root, or wraps around to it."""


@pytest.mark.parametrize("user", COULD_BE_ROOT)
def test_a_user_that_could_become_another_is_400_at_create_and_exec(service: Service, user: str) -> None:
    body = {"Image": "busybox", "Cmd": ["sleep", "100"], "User": user, "HostConfig": {"NetworkMode": "none"}}
    got, answer = service.request("POST", "/containers/create", body)
    assert got == 400, answer
    assert "User" in json.loads(answer)["message"]
    got, answer = service.request("POST", "/containers/create", body | {"User": ""})
    assert got == 201
    container = json.loads(answer)["Id"]
    assert service.request("POST", f"/containers/{container}/start")[0] == 204
    got, answer = service.request("POST", f"/containers/{container}/exec", {"Cmd": ["id"], "User": user})
    assert got == 400, answer
    assert "User" in json.loads(answer)["message"]


def test_a_name_that_nobody_has_is_refused_at_start_and_exec(docker: Docker, box: str) -> None:
    for said in (docker(*RUN, "-u", "ghost", "busybox", "id"), docker("exec", "-u", "ghost", box, "id")):
        assert said.code != 0
        assert "unable to find user ghost: no matching entries in passwd file" in said.stderr
    for name in ("1e3", "1_0", "0b0"):
        assert f"unable to find user {name}" in docker("exec", "-u", name, box, "id").stderr
    for said in (docker(*RUN, "-u", "app:ghosts", "busybox", "id"), docker("exec", "-u", "app:ghosts", box, "id")):
        assert said.code != 0
        assert "unable to find group ghosts" in said.stderr


@pytest.mark.parametrize(
    ("user", "uid", "gid", "groups"),
    [
        ("app", "1000", "1000", {"1000", "2000"}),
        ("1000", "1000", "1000", {"1000", "2000"}),
        ("app:daemon", "1000", "1", {"1"}),
        ("4321:77", "4321", "77", {"77"}),
        ("4321", "4321", "0", {"0"}),
        ("2147483647", "2147483647", "0", {"0"}),
    ],
)
def test_run_and_exec_have_the_same_user_and_groups(
    docker: Docker, box: str, user: str, uid: str, gid: str, groups: set[str]
) -> None:
    for said in (
        docker.ok(*RUN, "-u", user, "busybox", "sh", "-c", STATUS),
        docker.ok("exec", "-u", user, box, "sh", "-c", STATUS),
    ):
        found = status(said)
        assert found["Uid"].split() == [uid] * 4
        assert found["Gid"].split() == [gid] * 4
        assert set(found["Groups"].split()) == groups
        assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}


def test_nothing_is_inheritable_and_an_exec_has_no_more_than_its_container(docker: Docker, box: str) -> None:
    first = status(docker.ok("exec", box, "sh", "-c", STATUS.replace("self", "1")))
    executed = status(docker.ok("exec", box, "sh", "-c", STATUS))
    assert first["CapInh"] == first["CapAmb"] == executed["CapInh"] == executed["CapAmb"] == "0" * 16
    names = ("CapPrm", "CapEff", "CapBnd", "Seccomp", "NoNewPrivs", "Groups")
    assert {name: executed[name] for name in names} == {name: first[name] for name in names}
    assert first["Groups"] == "0"


def test_a_dropped_capability_is_not_in_an_exec_either(docker: Docker) -> None:
    options = ("--cap-drop", "ALL", "--cap-add", "CHOWN", "--security-opt", "no-new-privileges")
    container = docker.ok("run", "-d", "--network", "none", *options, "busybox", "sleep", "100")
    found = status(docker.ok("exec", container, "sh", "-c", STATUS))
    assert {found[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {f"{1:016x}"}
    assert (found["CapInh"], found["NoNewPrivs"], found["Seccomp"]) == ("0" * 16, "1", "2")
    assert int(status(docker.ok("exec", "-u", "app", container, "sh", "-c", STATUS))["CapEff"], 16) == 0


def test_a_privileged_exec_inherits_nothing_either(docker: Docker, box: str) -> None:
    found = status(docker.ok("exec", "--privileged", box, "sh", "-c", STATUS))
    assert int(found["CapEff"], 16) > int(status(docker.ok("exec", box, "sh", "-c", STATUS))["CapEff"], 16)
    assert found["CapInh"] == found["CapAmb"] == "0" * 16


def test_groups_that_are_added_are_those_of_an_exec_too(docker: Docker) -> None:
    options = ("-u", "app", "--group-add", "3000", "--group-add", "daemon")
    container = docker.ok("run", "-d", "--network", "none", *options, "busybox", "sleep", "100")
    for process in ("self", "1"):
        said = docker.ok("exec", container, "sh", "-c", STATUS.replace("self", process))
        assert set(status(said)["Groups"].split()) == {"1000", "2000", "3000", "1"}


def test_a_newline_writes_no_line_of_passwd_or_hosts(service: Service, docker: Docker) -> None:
    evil = "x\n6.6.6.6 evil\nroot2::0:0::/:/bin/sh"
    for wrong in (
        {"Env": [f"HOME={evil}"]},
        {"Hostname": evil},
        {"Domainname": evil},
        {"WorkingDir": f"/{evil}"},
        {"User": evil},
        {"HostConfig": {"ExtraHosts": [f"{evil}:1.1.1.1"]}},
        {"HostConfig": {"ExtraHosts": [f"a:1.1.1.1\n{evil}"]}},
        {"HostConfig": {"DnsSearch": [evil]}},
        {"HostConfig": {"DnsOptions": [evil]}},
        {"HostConfig": {"Dns": [f"1.1.1.1\n{evil}"]}},
    ):
        body = {"Image": "busybox", "Cmd": ["true"], **wrong}
        assert service.request("POST", "/containers/create", body)[0] == 400, wrong
    # Elsewhere a newline is a value's own affair: certificates have many.
    said = docker.ok(
        *RUN, "-e", f"CERT={evil}", "-l", f"a={evil}", "busybox", "sh", "-c", 'echo "$CERT"; cat /etc/passwd'
    )
    assert said.startswith(evil)
    assert "root2" not in said[len(evil) :]
    container = docker.ok("run", "-d", "--network", "none", "busybox", "sleep", "100")
    for wrong_exec in ({"Env": [f"HOME={evil}"]}, {"WorkingDir": f"/{evil}"}, {"User": evil}):
        got, answer = service.request("POST", f"/containers/{container}/exec", {"Cmd": ["true"], **wrong_exec})
        assert got == 400, answer
