from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.fakes.runs import PROFILE
from tests.support.api import Api

CONTAINERS = "/v5.0.0/libpod/containers"
PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def create(api: Api, **body: Any) -> str:
    answer = api.post("/containers/create", PLAIN | body, name="box")
    assert answer.status == 201
    container_id: str = answer.json()["Id"]
    return container_id


def start(api: Api) -> str:
    container_id = create(api)
    assert api.post(f"{CONTAINERS}/box/start").status == 204
    return container_id


def test_a_second_start_changes_nothing(api: Api) -> None:
    start(api)
    again = api.post(f"{CONTAINERS}/box/start")
    assert (again.status, again.body) == (304, b"")


def test_stop_kill_and_restart_are_without_a_body(api: Api) -> None:
    start(api)
    assert api.post(f"{CONTAINERS}/box/restart", timeout=0).status == 204
    assert api.post(f"{CONTAINERS}/box/kill", signal="SIGKILL").status == 204
    assert api.post(f"{CONTAINERS}/box/stop", timeout=0).status == 304
    assert api.post(f"{CONTAINERS}/box/start").status == 204
    assert api.post(f"{CONTAINERS}/box/stop", timeout=0).status == 204
    refused = api.post(f"{CONTAINERS}/box/kill")
    assert (refused.status, refused.json()["cause"]) == (409, "container state improper")
    assert api.post(f"{CONTAINERS}/box/stop", timeout=-1).status == 400


def test_a_removal_is_reported_by_id(api: Api) -> None:
    container_id = start(api)
    assert api.delete(f"{CONTAINERS}/box").status == 409
    removed = api.delete(f"{CONTAINERS}/box", force="true", v="true")
    assert (removed.status, removed.json()) == (200, [{"Id": container_id}])
    assert api.delete(f"{CONTAINERS}/box").status == 404
    ignored = api.delete(f"{CONTAINERS}/box", ignore="true")
    assert (ignored.status, ignored.json()) == (200, [])


@pytest.mark.parametrize("query", ["", "?condition=stopped&condition=exited"])
def test_wait_tells_the_code_as_text(api: Api, query: str) -> None:
    start(api)
    waiting = api.open("POST", f"{CONTAINERS}/box/wait{query}")
    api.engine.exit(3)
    assert (waiting.answer.status, waiting.answer.body, waiting.answer.whole) == (200, b"3\n", True)
    assert api.post(f"{CONTAINERS}/box/wait").body == b"3\n"


def test_wait_for_one_that_never_ran_waits_for_its_end(api: Api) -> None:
    create(api)
    waiting = api.open("POST", f"{CONTAINERS}/box/wait")
    api.post(f"{CONTAINERS}/box/start")
    api.engine.exit(5)
    assert waiting.answer.body == b"5\n"


def test_the_code_of_a_removed_container_is_known_by_its_whole_id(api: Api) -> None:
    container_id = start(api)
    api.engine.exit(7)
    api.delete(f"{CONTAINERS}/box")
    assert api.post(f"{CONTAINERS}/{container_id}/wait").body == b"7\n"
    assert api.post(f"{CONTAINERS}/{container_id}/wait?condition=exited").status == 404
    assert api.post(f"{CONTAINERS}/box/wait").status == 404


@pytest.mark.parametrize("base", ["/containers", CONTAINERS])
def test_a_container_is_renamed_while_it_runs_and_found_by_the_new_name_alone(api: Api, base: str) -> None:
    container_id = start(api)
    assert api.post(f"{base}/box/rename", name="/crate").status == 204
    assert api.get("/containers/crate/json").json()["Id"] == container_id
    assert api.get("/containers/box/json").status == 404
    told = api.engine.last_event()
    assert (told.action.value, told.attributes["oldName"], told.attributes["name"]) == ("rename", "/box", "crate")
    assert api.engine.next_service().container("crate").id == container_id


def test_a_name_that_is_taken_wrong_or_its_own_is_refused(api: Api) -> None:
    create(api)
    assert api.post("/containers/create", PLAIN, name="other").status == 201
    for base, own in (("/containers", 400), (CONTAINERS, 204)):
        assert api.post(f"{base}/box/rename", name="other").status == 409
        assert api.post(f"{base}/box/rename", name="box").status == own
        assert api.post(f"{base}/box/rename", name="no/name").status == 400
        assert api.post(f"{base}/box/rename").status == 400
        assert api.post(f"{base}/nope/rename", name="new").status == 404
    assert api.post("/containers/box/rename", name="free").status == 204


def test_events_until_a_duration_end_after_it_for_podman_and_were_before_it_for_docker(api: Api) -> None:
    connection = api.open("GET", "/v5.0.0/libpod/events", until="10s")
    whole = []
    for _ in range(2):
        api.engine.clock.advance(5)
        whole.append(connection.answer.whole)
        api.post("/containers/create", PLAIN, name=f"box{len(whole)}")
    assert whole == [False, True]
    assert (b'"box1"' in connection.answer.body, b'"box2"' in connection.answer.body) == (True, False)
    assert api.get("/events", since="20s", until="10s").body == b""


def test_one_that_is_made_ready_is_created_to_docker_and_not_an_event_that_it_knows(api: Api) -> None:
    create(api)
    assert api.post(f"{CONTAINERS}/box/init").status == 204
    again = api.post(f"{CONTAINERS}/box/init")
    assert (again.status, again.body) == (304, b"")
    assert api.get(f"{CONTAINERS}/box/json").json()["State"]["Status"] == "initialized"
    assert api.get("/containers/box/json").json()["State"]["Status"] == "created"
    assert api.post(f"{CONTAINERS}/nope/init").status == 404
    assert b'"init"' in api.get("/v5.0.0/libpod/events", stream="false").body
    until = api.engine.clock.seconds() + 1
    events = api.get("/events", since="0", until=str(until - 1))
    assert b'"create"' in events.body
    assert b'"init"' not in events.body


def test_a_forced_removal_with_a_time_out_asks_politely_first(api: Api) -> None:
    container_id = start(api)
    process = api.engine.process()
    process.deaf_to = frozenset({15})
    removing = api.open("DELETE", f"{CONTAINERS}/box?force=true&timeout=5&depend=true")
    api.engine.clock.advance(4)
    assert process.sent == [15]
    api.engine.clock.advance(1)
    assert process.sent == [15, 9]
    assert removing.answer.json() == [{"Id": container_id}]


def test_a_forced_removal_with_no_time_kills_at_once(api: Api) -> None:
    start(api)
    process = api.engine.process()
    assert api.delete(f"{CONTAINERS}/box?force=true&timeout=0").status == 200
    assert process.sent == [9]
    start(api)
    assert api.delete(f"{CONTAINERS}/box?force=true&timeout=-1").status == 400
    assert api.delete(f"{CONTAINERS}/box?force=true&depend=maybe").status == 400


def test_one_that_removes_itself_is_removed_politely_too(api: Api) -> None:
    container_id = create(api, HostConfig={"NetworkMode": "none", "AutoRemove": True})
    api.post(f"{CONTAINERS}/box/start")
    removed = api.delete(f"{CONTAINERS}/box", force="true", timeout=5)
    assert (removed.status, removed.json()) == (200, [{"Id": container_id}])


def test_a_stop_takes_ignore_and_a_restart_its_time_by_both_names(api: Api) -> None:
    start(api)
    for name in ("t", "timeout"):
        process = api.engine.process()
        assert api.post(f"{CONTAINERS}/box/restart", **{name: 0}).status == 204
        assert process.sent == [9]
    assert api.post(f"{CONTAINERS}/box/stop", timeout=0, ignore="true").status == 204
    assert api.post(f"{CONTAINERS}/box/stop", ignore="true").status == 304
    assert api.post(f"{CONTAINERS}/box/stop", ignore="maybe").status == 400
    assert api.post(f"{CONTAINERS}/nope/stop", ignore="true").status == 404


def test_one_that_is_made_ready_shows_its_process_to_podman_and_ends_by_its_stop_alone(api: Api) -> None:
    create(api)
    api.post(f"{CONTAINERS}/box/init")
    assert api.get(f"{CONTAINERS}/box/json").json()["State"]["Pid"] == 1001
    assert api.get(f"{CONTAINERS}/json", all="true").json()[0]["Pid"] == 1001
    assert api.get("/containers/box/json").json()["State"]["Pid"] == 0
    assert api.post("/containers/box/stop").status == 304
    assert api.post(f"{CONTAINERS}/box/stop").status == 204
    assert api.get(f"{CONTAINERS}/box/json").json()["State"]["Pid"] == 0
    assert api.post(f"{CONTAINERS}/box/wait").body == b"137\n"
    assert api.post(f"{CONTAINERS}/box/stop").status == 304


def test_one_letter_is_a_name_to_podman_and_none_to_docker(api: Api) -> None:
    made = api.post(f"{CONTAINERS}/create", {"image": "busybox", "name": "c", "netns": {"nsmode": "none"}})
    assert made.status == 201
    assert api.post(f"{CONTAINERS}/c/rename", name="d").status == 204
    refused = "Invalid container name (e), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    answer = api.post("/containers/create", PLAIN, name="e")
    assert (answer.status, answer.json()["message"]) == (400, refused)
    answer = api.post("/containers/d/rename", name="e")
    refused = f"Error when allocating new name: {refused.replace('(e)', '(/e)')}"
    assert (answer.status, answer.json()["message"]) == (400, refused)
    assert api.post("/containers/create", PLAIN, name="/e").status == 400
    words = "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"
    for answer in (
        api.post(f"{CONTAINERS}/create", {"image": "busybox", "name": "a:b"}),
        api.post(f"{CONTAINERS}/d/rename", name="-"),
        api.post("/v5.0.0/libpod/volumes/create", {"Name": "a:b"}),
    ):
        assert (answer.status, answer.json()["message"], answer.json()["cause"]) == (400, words, "invalid argument")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"image": ""}, "must set root filesystem source to either image or rootfs: invalid argument"),
        ({"umask": "9"}, "invalid umask string 9: invalid argument"),
        ({"restart_policy": "sometimes"}, '"sometimes" is not a valid restart policy: invalid argument'),
        ({"volumes_from": ["nope"]}, 'no container with name or ID "nope" found: no such container'),
        ({"seccomp_profile_path": "/nope"}, "open /nope: no such file or directory"),
        ({"resource_limits": {"memory": {"swappiness": 200}}}, "valid memory swappiness range is 0-100"),
    ],
)
def test_a_refusal_says_that_an_argument_is_invalid_where_podman_does(
    api: Api, spec: dict[str, Any], words: str
) -> None:
    refused = api.post(f"{CONTAINERS}/create", {"image": "busybox", "netns": {"nsmode": "none"}} | spec)
    assert refused.status == 400
    assert refused.json()["message"].endswith(words)


def test_what_has_no_command_or_no_new_name_is_told_so_in_each_flavours_words(api: Api) -> None:
    start(api)
    words = {
        f"{CONTAINERS}/box/exec": "must provide a non-empty command to start an exec session: invalid argument",
        "/containers/box/exec": "No exec command specified",
        f"{CONTAINERS}/box/rename": "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
        "/containers/box/rename": "Neither old nor new names may be empty",
    }
    for path, said in words.items():
        refused = api.post(path, {"Cmd": []})
        assert (refused.status, refused.json()["message"]) == (400, said)


def test_a_forced_removal_waits_as_a_stop_does_unless_told_otherwise(api: Api) -> None:
    api.engine.machine.deaf_to = frozenset({15})
    start(api)
    connection = api.open("DELETE", f"{CONTAINERS}/box?force=true")
    api.engine.clock.advance(9)
    assert not connection.answered
    api.engine.clock.advance(1)
    assert connection.answer.status == 200
    start(api)
    assert api.delete(f"{CONTAINERS}/box", force="true", timeout=0).status == 200
    start(api)
    assert api.delete("/containers/box", force="true").status == 204


def test_a_seccomp_profile_is_read_once_at_create(api: Api) -> None:
    spec = {"image": "busybox", "name": "box", "seccomp_profile_path": PROFILE, "netns": {"nsmode": "none"}}
    assert api.post(f"{CONTAINERS}/create", spec).status == 201
    security = api.engine.registry.get("box").options.security
    assert (security.seccomp, security.seccomp_path) == ('{"defaultAction": "SCMP_ACT_ALLOW"}', PROFILE)
    missing = api.post(f"{CONTAINERS}/create", spec | {"name": "other", "seccomp_profile_path": "/nope"})
    assert (missing.status, missing.json()["cause"]) == (400, "invalid argument")
