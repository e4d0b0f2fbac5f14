"""`podman --remote` from run to rm, on the real service; `test_podman_options` has the options of a run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.integration.test_podman_exec import Terminal
from tests.support.podman import Podman
from tests.support.service import Service

OFFLINE = ("--network", "none")


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(33, 77)
    yield made
    made.close()


def background(podman: Podman, name: str = "box", *options: str, script: str = "echo started; sleep 1000") -> str:
    """Its id, once it has said something."""
    container_id = podman.ok("run", "-d", "--name", name, *OFFLINE, *options, "busybox", "sh", "-c", script)
    limit = time.monotonic() + 20
    while not podman.ok("logs", name):
        assert time.monotonic() < limit
        time.sleep(0.05)
    return container_id


def test_a_run_has_its_output_its_streams_apart_and_its_code(podman: Podman) -> None:
    said = podman("run", "--rm", *OFFLINE, "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (said.stdout, said.stderr, said.code) == ("out\n", "err\n", 7)
    assert podman.ok("ps", "-aq") == ""


def test_standard_input_goes_in_and_ends(podman: Podman) -> None:
    assert podman.ok("run", "--rm", "-i", *OFFLINE, "busybox", "cat", input="given\n") == "given"
    many = "0123456789\n" * 100_000
    assert podman.ok("run", "--rm", "-i", *OFFLINE, "busybox", "wc", "-c", input=many) == str(len(many))


def test_a_detached_run_says_its_id_and_goes_on(podman: Podman) -> None:
    container_id = background(podman)
    assert len(container_id) == 64
    assert podman.ok("ps", "-q", "--no-trunc") == container_id
    listed = podman.ok("ps", "--format", "{{.Names}} {{.Image}} {{.Command}}")
    assert listed.startswith("box docker.io/library/busybox:latest sh")
    assert podman.ok("logs", "box") == "started"


def test_a_terminal_has_the_size_of_the_clients(podman: Podman, terminal: Terminal) -> None:
    with podman.on_terminal("run", "--rm", "-it", *OFFLINE, "busybox", "sh", terminal=terminal.theirs) as client:
        try:
            terminal.type("stty size; echo $TERM\r")
            terminal.until("33 77\r\nxterm")
            terminal.type("exit 9\r")
            assert client.wait(20) == 9
        finally:
            client.kill()


def test_a_created_container_starts_attached_and_gives_its_code(podman: Podman) -> None:
    podman.ok("create", "--name", "box", *OFFLINE, "busybox", "sh", "-c", "echo out; exit 3")
    assert podman.ok("ps", "-a", "--format", "{{.Status}}") == "Created"
    said = podman("start", "-a", "box")
    assert (said.stdout, said.code) == ("out\n", 3)
    assert podman.ok("wait", "box") == "3"
    assert podman.ok("start", "box") == "box"


def test_what_cannot_be_run_is_125_126_or_127(podman: Podman) -> None:
    missing = podman("run", "--rm", *OFFLINE, "busybox", "no-such-program")
    assert (missing.code, "no-such-program" in missing.stderr) == (127, True)
    assert "OCI runtime attempted to invoke a command that was not found" in missing.stderr
    closed = podman("run", "--rm", *OFFLINE, "busybox", "/etc")
    assert (closed.code, "OCI permission denied" in closed.stderr) == (126, True)
    unknown = podman("run", "--rm", *OFFLINE, "--pull", "never", "nope", "true")
    assert (unknown.code, "no such image" in unknown.stderr or "image not known" in unknown.stderr) == (125, True)
    unbuilt = podman("run", "--rm", *OFFLINE, "--systemd=always", "busybox", "true")
    assert (unbuilt.code, "systemd=always" in unbuilt.stderr) == (125, True)
    assert podman.ok("ps", "-aq") == ""


def test_a_name_is_taken_once(podman: Podman) -> None:
    podman.ok("create", "--name", "box", *OFFLINE, "busybox", "true")
    taken = podman("create", "--name", "box", *OFFLINE, "busybox", "true")
    assert (taken.code, "already in use" in taken.stderr) == (125, True)


def test_an_exec_is_in_the_container(podman: Podman, terminal: Terminal) -> None:
    background(podman)
    assert podman.ok("exec", "box", "hostname") == podman.ok("inspect", "-f", "{{.Config.Hostname}}", "box")
    with podman.on_terminal("exec", "-it", "box", "sh", terminal=terminal.theirs) as client:
        try:
            terminal.type("echo in''side\r")
            terminal.until("inside")
            terminal.type("exit 4\r")
            assert client.wait(20) == 4
        finally:
            client.kill()


def test_a_client_attaches_and_leaves_by_its_keys(podman: Podman, terminal: Terminal) -> None:
    podman.ok("run", "-d", "-it", "--name", "box", *OFFLINE, "busybox", "sh")
    with podman.on_terminal("attach", "--detach-keys", "a,b", "box", terminal=terminal.theirs) as client:
        try:
            terminal.type("echo at''tached\r")
            terminal.until("attached")
            terminal.type("ab")
            client.wait(20)
        finally:
            client.kill()
    assert podman.ok("inspect", "-f", "{{.State.Running}}", "box") == "true"


def test_stop_gives_time_and_kill_does_not(podman: Podman) -> None:
    background(podman, "polite", script="trap 'exit 5' TERM; echo started; while :; do sleep 0.1; done")
    background(podman, "deaf")
    assert podman.ok("stop", "polite") == "polite"
    assert podman.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "polite") == "exited 5"
    assert podman.ok("kill", "deaf") == "deaf"
    assert podman.ok("wait", "deaf") == "137"
    assert podman.ok("ps", "-q") == ""


def test_running_containers_are_removed_by_force_alone(podman: Podman) -> None:
    background(podman)
    refused = podman("rm", "box")
    assert (refused.code, "running" in refused.stderr) == (2, True)
    podman.ok("rm", "-f", "-t", "0", "box")
    assert podman.ok("ps", "-aq") == ""
    assert podman("rm", "box").code == 1


def test_wait_returns_when_the_container_ends(podman: Podman) -> None:
    background(podman, script="echo started; sleep 1; exit 6")
    assert podman.ok("wait", "box") == "6"
    background(podman, "brief", "--rm", script="echo started; sleep 1; exit 8")
    assert podman.ok("wait", "brief") == "8"


def test_logs_are_followed_to_the_end(podman: Podman) -> None:
    background(podman, script="echo 1; sleep 0.5; echo 2 >&2; sleep 0.5; echo 3")
    said = podman("logs", "-f", "box")
    assert (said.stdout, said.stderr) == ("1\n3\n", "2\n")
    assert podman.ok("logs", "--tail", "1", "box") == "3"


def test_an_inspection_has_what_was_asked_for(podman: Podman) -> None:
    podman.ok("create", "--name", "box", *OFFLINE, "-e", "A=b", "-l", "c=d", "--umask", "077", "busybox", "true")
    (shown,) = json.loads(podman.ok("inspect", "box"))
    config = shown["Config"]
    assert "A=b" in config["Env"]
    assert "container=podman" in config["Env"]
    assert config["Labels"] == {"c": "d"}
    assert config["Umask"] == "0077"
    assert config["CreateCommand"][-2:] == ["busybox", "true"]
    assert shown["HostConfig"]["PidsLimit"] == 2048
    assert shown["HostConfig"]["NetworkMode"] == "none"
    assert (shown["Path"], config["sdNotifyMode"]) == ("true", "container")


def test_an_inspection_has_the_init(podman: Podman) -> None:
    options = ("--init", "--sdnotify", "ignore")
    podman.ok("create", "--name", "box", *OFFLINE, *options, "busybox", "true")
    (shown,) = json.loads(podman.ok("inspect", "box"))
    assert (shown["Path"], shown["Args"]) == ("/sbin/docker-init", ["--", "true"])
    assert shown["Config"]["sdNotifyMode"] == "ignore"


def test_what_is_nowhere_is_said_not_to_be_there(podman: Podman) -> None:
    said = podman("inspect", "nowhere")
    assert (said.code, 'no such object: "nowhere"' in said.stderr) == (125, True), said
    assert podman("pod", "exists", "nowhere").code == 1
    assert podman.ok("pod", "ls", "-q") == ""


def test_events_tell_a_containers_life(podman: Podman) -> None:
    podman.ok("run", "--name", "told", *OFFLINE, "busybox", "true")
    podman.ok("rm", "told")
    said = podman.ok(
        "events", "--stream=false", "--since", "5m", "--filter", "container=told", "--format", "{{.Status}}"
    )
    told = said.split()
    assert [action for action in told if action != "attach"] == ["create", "init", "start", "died", "remove"]


def test_volumes_are_made_used_listed_and_removed(podman: Podman) -> None:
    assert podman.ok("volume", "create", "--label", "a=b", "kept") == "kept"
    podman.ok("run", "--rm", *OFFLINE, "-v", "kept:/data", "busybox", "sh", "-c", "echo x > /data/file")
    assert podman.ok("run", "--rm", *OFFLINE, "-v", "kept:/data", "busybox", "cat", "/data/file") == "x"
    podman.ok("run", "--rm", *OFFLINE, "-v", "/anon", "busybox", "true")
    assert podman.ok("volume", "ls", "-q") == "kept"
    assert podman.ok("volume", "inspect", "-f", "{{.Labels}}", "kept") == "map[a:b]"
    assert podman.ok("volume", "rm", "kept") == "kept"
    assert podman("volume", "inspect", "kept").code == 125


def test_a_container_is_found_under_its_new_name(podman: Podman) -> None:
    podman.ok("create", "--name", "before", *OFFLINE, "busybox", "true")
    podman.ok("rename", "before", "after")
    assert podman.ok("ps", "-a", "--format", "{{.Names}}") == "after"


def test_a_client_that_is_killed_leaves_its_container_running(podman: Podman, terminal: Terminal) -> None:
    with podman.on_terminal(
        "run", "--name", "box", *OFFLINE, "busybox", "sh", "-c", "echo here; sleep 1000", terminal=terminal.theirs
    ) as client:
        try:
            terminal.until("here")
        finally:
            client.kill()
    assert podman.ok("inspect", "-f", "{{.State.Running}}", "box") == "true"
