from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import pytest

from apiserver.engine.ports.runs import RunEnd, StartFailed
from tests.support.api import Api

PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
LIBPOD = "/v5.0.0/libpod"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
OUTPUT = {"AttachStdout": True, "AttachStderr": True}


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def session(api: Api, **body: Any) -> str:
    if not len(api.engine.registry):
        assert api.post("/containers/create", PLAIN, name="box").status == 201
        assert api.post("/containers/box/start").status == 204
    answer = api.post(f"{LIBPOD}/containers/box/exec", {"Cmd": ["ls", "-l"]} | OUTPUT | body)
    assert answer.status == 201
    exec_id: str = answer.json()["Id"]
    return exec_id


def test_an_exec_is_started_resized_inspected_and_removed(api: Api) -> None:
    exec_id = session(api, Tty=True, AttachStdin=True, User="nobody")
    connection = api.open(
        "POST", f"{LIBPOD}/exec/{exec_id}/start", {"Detach": False, "Tty": True, "h": 5, "w": 6}, headers=UPGRADE
    )
    assert connection.answer.status == 101
    assert api.engine.containers.execs.get(exec_id).console_size == (5, 6)
    process = api.engine.machine.execs[exec_id]
    assert api.post(f"{LIBPOD}/exec/{exec_id}/resize", h=7, w=8).status == 201
    assert process.size == (7, 8)
    assert api.post(f"{LIBPOD}/exec/{exec_id}/remove", {}).json()["cause"] == "exec session state improper"
    process.finish(RunEnd(3, datetime.now(UTC)))
    assert connection.closed
    shown = api.get(f"{LIBPOD}/exec/{exec_id}/json").json()
    assert shown == {
        "CanRemove": True,
        "ContainerID": api.engine.registry.get("box").id,
        "DetachKeys": "",
        "ExitCode": 3,
        "ID": exec_id,
        "OpenStderr": True,
        "OpenStdin": True,
        "OpenStdout": True,
        "Running": False,
        "Pid": 0,
        "ProcessConfig": {
            "arguments": ["-l"],
            "entrypoint": "ls",
            "privileged": False,
            "tty": True,
            "user": "nobody",
        },
    }
    removed = api.post(f"{LIBPOD}/exec/{exec_id}/remove", {})
    assert (removed.status, removed.body) == (200, b"")
    gone = api.get(f"{LIBPOD}/exec/{exec_id}/json")
    assert (gone.status, gone.json()["cause"]) == (404, "no such exec session")


def test_a_session_that_has_not_ended_has_the_code_0_and_is_removed_by_force(api: Api) -> None:
    exec_id = session(api)
    assert api.post(f"{LIBPOD}/exec/{exec_id}/start", {"Detach": True}).status == 200
    assert api.get(f"{LIBPOD}/exec/{exec_id}/json").json()["ExitCode"] == 0
    assert api.post(f"{LIBPOD}/exec/{exec_id}/remove", {"Force": True}).status == 200
    assert api.post(f"{LIBPOD}/exec/{exec_id}/remove", {"Force": True}).status == 404


def test_a_resize_that_may_come_too_early_or_too_late_is_no_error(api: Api) -> None:
    exec_id = session(api, Tty=True)
    assert api.post(f"{LIBPOD}/exec/{exec_id}/resize", h=1, w=1).status == 409
    assert api.post(f"{LIBPOD}/exec/{exec_id}/resize", h=1, w=1, running="true").status == 201
    assert api.post(f"{LIBPOD}/exec/nope/resize", h=1, w=1, running="true").status == 404


def test_what_could_not_be_run_is_said_in_the_words_of_the_flavour(api: Api) -> None:
    missing = "nope: no such file or directory"
    session(api)
    api.engine.gates.failing["streams.start_exec"] = StartFailed(missing, 127)
    said = api.open("POST", f"{LIBPOD}/exec/{session(api)}/start", {}, headers=UPGRADE).answer.body
    words = b"Error: nope: no such file or directory: OCI runtime attempted to invoke a command that was not found\r\n"
    assert said == b"\2\0\0\0\0\0\0" + bytes([len(words)]) + words
    api.engine.gates.failing["streams.start_exec"] = StartFailed(missing, 127)
    said = api.open("POST", f"/exec/{session(api)}/start", {}, headers=UPGRADE).answer.body
    words = b"failed to create task for container: nope: no such file or directory\r\n"
    assert said == b"\1\0\0\0\0\0\0" + bytes([len(words)]) + words


def test_a_directory_that_is_a_file_is_another_code_to_podman_than_to_docker(api: Api) -> None:
    exec_id = session(api)
    api.engine.gates.failing["streams.start_exec"] = StartFailed("chdir to `/bin/sh`: Not a directory", 127)
    said = api.open("POST", f"{LIBPOD}/exec/{exec_id}/start", {}, headers=UPGRADE).answer.body
    assert said.endswith(b"Error: chdir to `/bin/sh`: Not a directory: OCI runtime error\r\n")
    codes = [api.get(f"{path}/exec/{exec_id}/json").json()["ExitCode"] for path in (LIBPOD, "")]
    assert codes == [125, 127]


def test_what_is_wrong_is_said_before_the_head(api: Api) -> None:
    exec_id = session(api)
    assert api.post(f"{LIBPOD}/containers/box/exec", {}).status == 400
    assert api.post(f"{LIBPOD}/containers/nope/exec", {"Cmd": ["ls"]}).status == 404
    assert api.post(f"{LIBPOD}/exec/nope/start", {}, headers=UPGRADE).status == 404
    api.engine.exit(0)
    stopped = api.post(f"{LIBPOD}/exec/{exec_id}/start", {}, headers=UPGRADE)
    assert (stopped.status, stopped.json()["cause"]) == (409, "container state improper")
    assert api.post(f"{LIBPOD}/containers/box/exec", {"Cmd": ["ls"]}).status == 409
