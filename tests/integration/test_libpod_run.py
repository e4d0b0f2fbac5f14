"""Containers made of a SpecGenerator, on the real service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from apiserver.config.host import read_host
from apiserver.local.runs.machine import look
from tests.support.podman import Podman
from tests.support.service import Service

CREATE = "/v5.0.0/libpod/containers/create"


@pytest.fixture(autouse=True)
def clean(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def make(service: Service, *command: str, **fields: Any) -> None:
    spec = {"name": "box", "image": "busybox", "command": command, "netns": {"nsmode": "none"}, **fields}
    status, body = service.request("POST", CREATE, spec)
    assert status == 201, body


def test_a_profile_of_apparmor_that_cannot_confine_is_refused(service: Service) -> None:
    spec = {"name": "box", "image": "busybox", "command": ["true"], "netns": {"nsmode": "none"}}
    status, body = service.request("POST", CREATE, {**spec, "apparmor_profile": "strict-profile"})
    assert status == 400
    why = (
        "is not loaded"
        if look(read_host()).apparmor is not None
        else "specified, but Apparmor is not enabled on this system"
    )
    assert why in body.decode()
    assert service.request("GET", "/v5.0.0/libpod/containers/box/exists")[0] == 404
    make(service, "true", apparmor_profile="unconfined")


def test_a_created_container_starts_attached_and_gives_its_code(service: Service, podman: Podman) -> None:
    make(service, "sh", "-c", "echo out; echo err >&2; exit 7")
    said = podman("start", "-a", "box")
    assert (said.stdout, said.stderr, said.code) == ("out\n", "err\n", 7)


@pytest.mark.parametrize(
    ("fields", "script", "said"),
    [
        ({"env": {"A": "b"}}, "echo $A", "b"),
        ({"work_dir": "/tmp"}, "pwd", "/tmp"),
        ({"user": "12:34"}, "id -u; id -g", "12\n34"),
        ({"groups": ["77"]}, "grep Groups /proc/self/status | grep -c 77", "1"),
        ({"hostname": "here"}, "hostname", "here"),
        (
            {"read_only_filesystem": True, "read_write_tmpfs": True},
            "touch /x 2>/dev/null || echo no; touch /tmp/x && echo yes",
            "no\nyes",
        ),
        (
            {"mounts": [{"destination": "/t", "type": "tmpfs", "options": ["size=1m"]}]},
            "df -k /t | tail -1 | awk '{print $2}'",
            "1024",
        ),
        ({"cap_drop": ["ALL"]}, "grep CapEff /proc/self/status | cut -f2", "0000000000000000"),
        ({"no_new_privileges": True}, "grep NoNewPrivs /proc/self/status | cut -f2", "1"),
        ({"shm_size": 8 << 20}, "df -k /dev/shm | tail -1 | awk '{print $2}'", "8192"),
        ({"r_limits": [{"type": "nofile", "soft": 33, "hard": 44}]}, "ulimit -n; ulimit -Hn", "33\n44"),
        ({"oom_score_adj": 500}, "cat /proc/self/oom_score_adj", "500"),
        ({"entrypoint": ["echo", "x"]}, "", "x sh -c"),
        ({"seccomp_profile_path": "unconfined"}, "grep Seccomp: /proc/self/status | cut -f2", "0"),
    ],
)
def test_an_option_acts_inside(
    service: Service, podman: Podman, fields: dict[str, Any], script: str, said: str
) -> None:
    make(service, "sh", "-c", script, **fields)
    assert podman.ok("start", "-a", "box") == said


def test_a_field_that_is_not_built_is_named(service: Service) -> None:
    status, body = service.request("POST", CREATE, {"image": "busybox", "env_host": True})
    assert status == 501
    assert "env_host" in json.loads(body)["message"]


def test_a_wrong_type_is_refused_with_its_field(service: Service) -> None:
    status, body = service.request("POST", CREATE, {"image": "busybox", "terminal": "yes"})
    assert status == 400
    assert "terminal" in json.loads(body)["message"]


def test_what_is_missing_or_taken_is_told_in_podmans_words(service: Service) -> None:
    status, body = service.request("POST", CREATE, {"image": "nope"})
    assert (status, json.loads(body)["cause"]) == (404, "image not known")
    status, body = service.request("POST", CREATE, {"image": "busybox", "Networks": {"nope": {}}})
    assert (status, json.loads(body)["cause"]) == (404, "network not found")
    spec = {"name": "box", "image": "busybox", "netns": {"nsmode": "none"}, "unknown": 1}
    assert service.request("POST", CREATE, spec)[0] == 201
    assert service.request("POST", CREATE, spec)[0] == 409


def test_a_restart_policy_is_kept_with_a_warning(service: Service) -> None:
    status, body = service.request("POST", CREATE, {"image": "busybox", "restart_policy": "always"})
    assert (status, len(json.loads(body)["Warnings"])) == (201, 1)
