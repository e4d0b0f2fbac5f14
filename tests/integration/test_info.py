"""What `info` says of the machine is so, in both flavours."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Service


@pytest.fixture
def podmans(service: Service) -> Any:
    status, body = service.request("GET", "/v5.4.2/libpod/info")
    assert status == 200, body
    return json.loads(body)


@pytest.fixture
def dockers(service: Service) -> Any:
    status, body = service.request("GET", "/v1.45/info")
    assert status == 200, body
    return json.loads(body)


def test_memory_processors_and_time_are_measured(podmans: Any) -> None:
    host = podmans["host"]
    assert 0 < host["memFree"] < host["memTotal"]
    assert 0 < sum(host["cpuUtilization"].values()) <= 100.1
    assert host["uptime"].endswith("days)")


def test_programs_are_where_they_are_said_to_be(podmans: Any) -> None:
    host = podmans["host"]
    for program in (host["conmon"], host["networkBackendInfo"], host["networkBackendInfo"]["dns"], host["ociRuntime"]):
        assert os.access(program["path"], os.X_OK)
        assert program["version"].startswith(Path(program["path"]).name)
        assert program["package"]


def test_the_store_is_where_it_is_said_to_be(podmans: Any, service: Service) -> None:
    store = podmans["store"]
    assert (Path(store["graphRoot"]) / "overlay-images").is_dir()
    assert f'graphroot = "{store["graphRoot"]}"' in Path(store["configFile"]).read_text()
    assert store["graphRootAllocated"] == shutil.disk_usage(service.root).total
    assert 0 < store["graphRootUsed"] <= store["graphRootAllocated"]
    for directory in (store["imageCopyTmpDir"], store["volumePath"], store["runRoot"]):
        assert Path(directory).is_dir()


def test_a_container_has_the_capabilities_and_the_profile_that_are_said(podmans: Any) -> None:
    security = podmans["host"]["security"]
    assert "CAP_CHOWN" in security["capabilities"].split(",")
    assert Path(security["seccompProfilePath"]).is_file() == security["seccompEnabled"]


def test_both_flavours_say_the_same(podmans: Any, dockers: Any) -> None:
    host = podmans["host"]
    assert (dockers["MemTotal"], dockers["Name"], dockers["NCPU"]) == (host["memTotal"], host["hostname"], host["cpus"])
    assert dict(dockers["DriverStatus"]) == podmans["store"]["graphStatus"]
    assert dockers["OSVersion"] == host["distribution"]["version"]
    assert dockers["IPv4Forwarding"] is (Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n")
    assert dockers["NFd"] > 5
