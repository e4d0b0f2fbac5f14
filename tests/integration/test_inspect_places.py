"""What an inspection says of files, pids and rights is what is really there, in both flavours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apiserver.config.host.capabilities import from_mask
from tests.support.docker import Docker
from tests.support.service import Service

ROOTS, USERS = "places-root", "places-user"


@pytest.fixture(scope="module")
def started(service: Service) -> Iterator[Docker]:
    config = service.folder / "docker-of-places"
    config.mkdir()
    docker = Docker(service.host, config)
    script = "echo logged; echo written >/mark; exec sleep 1000"
    docker.ok("run", "-d", "--name", ROOTS, "-h", "inside", "busybox", "sh", "-c", script)
    docker.ok("run", "-d", "--name", USERS, "--user", "1000", "--network", "none", "busybox", "sleep", "1000")
    yield docker
    service.remove_containers()


def libpod(service: Service, name: str) -> Any:
    status, body = service.request("GET", f"/v5.4.2/libpod/containers/{name}/json")
    assert status == 200, body
    return json.loads(body)


def compat(service: Service, name: str) -> Any:
    status, body = service.request("GET", f"/v1.45/containers/{name}/json")
    assert status == 200, body
    return json.loads(body)


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.usefixtures("started")
def test_both_flavours_name_the_files_that_the_container_sees(service: Service) -> None:
    for shown in (compat(service, ROOTS), libpod(service, ROOTS)):
        assert Path(shown["HostnamePath"]).read_text() == "inside\n"
        assert "inside" in Path(shown["HostsPath"]).read_text()
        assert "nameserver" in Path(shown["ResolvConfPath"]).read_text()
        inside = Path(f"/proc/{shown['State']['Pid']}/root")
        assert (inside / "etc/hosts").read_text() == Path(shown["HostsPath"]).read_text()


@pytest.mark.usefixtures("started")
def test_both_flavours_name_the_log_and_the_layers(service: Service) -> None:
    docker, podman = compat(service, ROOTS), libpod(service, ROOTS)
    assert docker["LogPath"] == podman["HostConfig"]["LogConfig"]["Path"]
    assert "logged" in Path(docker["LogPath"]).read_text()
    assert docker["GraphDriver"]["Data"] == podman["GraphDriver"]["Data"]
    layers = docker["GraphDriver"]["Data"]
    assert (Path(layers["UpperDir"]) / "mark").read_text() == "written\n"
    assert (Path(layers["LowerDir"].split(":")[0]) / "bin/busybox").exists()
    assert Path(layers["WorkDir"]).is_dir()
    # Where it is mounted only the service's own mount namespace shows.
    assert Path(layers["MergedDir"]).is_dir()


@pytest.mark.usefixtures("started")
def test_pid_files_hold_the_pids_that_are_shown(service: Service) -> None:
    shown = libpod(service, ROOTS)
    state = shown["State"]
    assert int(Path(shown["PidFile"]).read_text()) == state["Pid"]
    assert int(Path(shown["ConmonPidFile"]).read_text()) == state["ConmonPid"]
    assert Path(f"/proc/{state['ConmonPid']}/comm").read_text() == "conmon\n"
    assert state["CgroupPath"] in Path(f"/proc/{state['Pid']}/cgroup").read_text()


@pytest.mark.usefixtures("started")
def test_the_sandbox_is_the_network_namespace_of_the_process(service: Service) -> None:
    for shown in (compat(service, ROOTS), libpod(service, ROOTS)):
        sandbox = shown["NetworkSettings"]["SandboxKey"]
        assert os.stat(sandbox).st_ino == os.stat(f"/proc/{shown['State']['Pid']}/ns/net").st_ino


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("name", [ROOTS, USERS])
def test_capabilities_are_those_that_the_kernel_has(service: Service, name: str) -> None:
    shown = libpod(service, name)
    kernel = status_of(shown["State"]["Pid"])
    assert shown["BoundingCaps"] == sorted(from_mask(int(kernel["CapBnd"], 16)))
    assert (shown["EffectiveCaps"] or []) == sorted(from_mask(int(kernel["CapEff"], 16)))


@pytest.mark.usefixtures("started")
def test_the_configuration_is_the_one_that_the_runtime_got(service: Service) -> None:
    shown = libpod(service, ROOTS)
    configuration = json.loads(Path(shown["OCIConfigPath"]).read_text())
    assert configuration["ociVersion"] == shown["State"]["OciVersion"]
    assert sorted(configuration["process"]["capabilities"]["bounding"]) == shown["BoundingCaps"]


def test_what_has_ended_names_nothing_that_is_gone(service: Service, started: Docker) -> None:
    started.ok("run", "--name", "places-ended", "--network", "none", "busybox", "true")
    docker, podman = compat(service, "places-ended"), libpod(service, "places-ended")
    assert (docker["NetworkSettings"]["SandboxKey"], podman["NetworkSettings"]["SandboxKey"]) == ("", "")
    assert "OCIConfigPath" not in podman
    assert "MergedDir" not in podman["GraphDriver"]["Data"]
    for shown in (docker, podman):
        assert Path(shown["HostsPath"]).is_file()
    assert podman["ImageDigest"].startswith("sha256:")
