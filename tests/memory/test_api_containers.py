from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from apiserver.engine.ports.images import Image, ImageConfig
from apiserver.errors import HostError
from tests.fakes.images import image
from tests.support.api import Api
from tests.support.engine import IMAGE, NOON

PLAIN: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def create(api: Api, name: str = "box", **body: Any) -> str:
    answer = api.post("/containers/create", PLAIN | body, name=name)
    assert answer.status == 201, answer
    return str(answer.json()["Id"])


def start(api: Api, name: str = "box", **body: Any) -> str:
    container_id = create(api, name, **body)
    assert api.post(f"/containers/{name}/start").status == 204
    return container_id


def message(answer: Any) -> str:
    return str(answer.json()["message"])


def test_create_answers_with_the_id_and_no_warnings(api: Api) -> None:
    answer = api.post("/v1.44/containers/create", PLAIN, name="/box")
    assert (answer.status, answer.json()["Warnings"]) == (201, [])
    assert api.get("/containers/box/json").json()["Id"] == answer.json()["Id"]


@pytest.mark.parametrize("version", ["/v1.24", "/v1.40", "/v1.51", "/v1.56", ""])
def test_all_versions_are_served(api: Api, version: str) -> None:
    create(api)
    assert api.get(f"{version}/containers/box/json").status == 200
    assert api.get(f"{version}/containers/json", all=1).status == 200


def test_a_missing_image_is_said_in_the_words_that_clients_pull_on(api: Api) -> None:
    answer = api.post("/containers/create", PLAIN | {"Image": "nope"})
    assert (answer.status, message(answer)) == (404, "No such image: nope")
    assert answer.json()["cause"] == "image not known"


def test_a_name_that_is_taken_is_a_conflict_in_dockers_words(api: Api) -> None:
    container_id = create(api)
    answer = api.post("/containers/create", PLAIN, name="box")
    assert answer.status == 409
    assert message(answer) == (
        f'Conflict. The container name "/box" is already in use by container "{container_id}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )


def test_docker_says_what_it_could_not_do_before_the_reason(api: Api) -> None:
    create(api)
    other = create(api, "other")
    for path, status, words in (
        ("/containers/nope/kill", 404, "cannot kill container: nope: No such container: nope"),
        ("/containers/box/kill?signal=FOO", 400, "cannot kill container: box: invalid signal: FOO"),
        ("/containers/{x}/kill", 404, "cannot kill container: {x}: No such container: {x}"),
        (
            f"/containers/{other[:12]}/kill",
            409,
            f"cannot kill container: {other[:12]}: container {other} is not running",
        ),
        (
            "/containers/box/rename?name=other",
            409,
            'Error when allocating new name: Conflict. The container name "/other" is already in use by container '
            f'"{other}". You have to remove',
        ),
        (
            "/containers/box/rename?name=a%20b",
            400,
            "Error when allocating new name: Invalid container name (/a b), only",
        ),
        ("/containers/box/rename?name=c", 400, "Error when allocating new name: Invalid container name (/c), only"),
        ("/containers/nope/rename?name=free", 404, "No such container: nope"),
        ("/containers/box/rename?name=box", 400, "Renaming a container with the same name as its current name"),
    ):
        answer = api.post(path)
        assert (answer.status, message(answer).startswith(words)) == (status, True), message(answer)
    for path in ("/v5.0.0/libpod/containers/nope/kill", "/v5.0.0/libpod/containers/nope/rename?name=c"):
        assert message(api.post(path)) == 'no container with name or ID "nope" found: no such container'


def test_an_option_that_is_not_built_is_501_and_nothing_is_made(api: Api) -> None:
    body = PLAIN | {"HostConfig": {"StorageOpt": {"size": "1G"}}}
    answer = api.post("/containers/create", body, name="box")
    assert answer.status == 501
    assert "--storage-opt" in message(answer)
    create(api)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (PLAIN | {"HostConfig": {"Memory": "x"}}, "HostConfig.Memory"),
        (PLAIN | {"Env": "x"}, "Env"),
        (PLAIN | {"HostConfig": {"PidMode": "foo"}}, "PidMode"),
        (PLAIN | {"HostConfig": {"ShmSize": -1}}, "ShmSize"),
        (b"{bad", "JSON"),
        (b"", "Image"),
    ],
)
def test_a_wrong_body_is_400_with_the_name_of_the_field(api: Api, body: Any, field: str) -> None:
    answer = api.post("/containers/create", body)
    assert answer.status == 400
    assert field in message(answer)


def test_a_null_is_a_missing_field(api: Api) -> None:
    create(api, AttachStdin=None, Labels=None, Tty=None)


def test_a_form_content_type_loses_no_body(api: Api) -> None:
    answer = api.post(
        "/containers/create", PLAIN, name="box", headers={"Content_Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status == 201


def test_a_network_that_does_not_exist_is_no_404_of_create_at_which_the_cli_would_pull_the_image(api: Api) -> None:
    create(api, HostConfig={"NetworkMode": "nope"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/containers/nope/json"),
        ("POST", "/containers/nope/start"),
        ("POST", "/containers/nope/stop"),
        ("POST", "/containers/nope/restart"),
        ("POST", "/containers/nope/kill"),
        ("POST", "/containers/nope/wait"),
        ("POST", "/containers/nope/attach"),
        ("POST", "/containers/nope/resize?h=1&w=1"),
        ("GET", "/containers/nope/logs?stdout=1"),
        ("DELETE", "/containers/nope"),
        ("POST", "/containers/nope/exec"),
    ],
)
def test_a_missing_container_is_404_everywhere(api: Api, method: str, path: str) -> None:
    body = {"Cmd": ["ls"]} if path.endswith("exec") else None
    answer = api.open(method, path, body).answer
    prefix = "cannot kill container: nope: " if path.endswith("/kill") else ""
    assert (answer.status, message(answer)) == (404, f"{prefix}No such container: nope")
    assert answer.headers["content-type"] == "application/json"


def test_start_and_stop_say_304_where_there_is_nothing_to_do(api: Api) -> None:
    start(api)
    assert api.post("/containers/box/start").status == 304
    assert api.post("/containers/box/stop", t=0).status == 204
    assert api.post("/containers/box/stop").status == 304
    assert api.get("/containers/box/json").json()["State"]["Status"] == "exited"


def test_stop_with_no_time_kills_at_once_and_with_a_negative_one_waits(api: Api) -> None:
    start(api)
    process = api.engine.process()
    process.deaf_to = frozenset({15})
    stopping = api.open("POST", "/containers/box/stop", t=-1)
    api.engine.clock.advance(10_000)
    assert not stopping.answered
    api.engine.exit(0)
    assert stopping.answer.status == 204


def test_a_stop_goes_on_when_its_client_leaves(api: Api) -> None:
    start(api)
    api.engine.process().deaf_to = frozenset({15})
    api.open("POST", "/containers/box/stop", t=5).hang_up()
    api.engine.clock.advance(5)
    assert api.get("/containers/box/json").json()["State"]["ExitCode"] == 137


def test_t_that_is_no_number_is_400(api: Api) -> None:
    start(api)
    assert api.post("/containers/box/stop", t="x").status == 400


def test_kill_of_one_that_does_not_run_is_a_conflict(api: Api) -> None:
    container_id = create(api)
    answer = api.post("/containers/box/kill")
    assert answer.status == 409
    assert f"{container_id} is not running" in message(answer)


def test_kill_takes_names_and_numbers_and_refuses_the_rest(api: Api) -> None:
    start(api)
    api.engine.process().deaf_to = frozenset({1})
    assert api.post("/containers/box/kill", signal="HUP").status == 204
    assert api.post("/containers/box/kill", signal="FOO").status == 400
    assert api.post("/containers/box/kill").status == 204
    assert api.engine.told()[-2:] == ["kill", "died"]


def test_restart_starts_a_new_run(api: Api) -> None:
    start(api)
    assert api.post("/containers/box/restart", t=0).status == 204
    assert api.engine.key().number == 2


def test_a_running_container_is_removed_by_force_alone(api: Api) -> None:
    start(api)
    answer = api.delete("/containers/box")
    assert answer.status == 409
    assert message(answer) == (
        'cannot remove container "/box": container is running: stop the container before removing or force remove'
    )
    assert api.delete("/containers/box", force="true").status == 204
    assert api.get("/containers/json", all=1).json() == []


def test_the_list_shows_running_containers_and_all_with_all_or_a_limit(api: Api) -> None:
    create(api, "old")
    start(api, "new")

    def names(**query: Any) -> list[str]:
        return [each["Names"][0] for each in api.get("/containers/json", **query).json()]

    assert names() == ["/new"]
    assert sorted(names(all=1)) == ["/new", "/old"]
    assert len(names(limit=1)) == 1
    assert names(limit=0) == names(limit=-1) == ["/new"]
    assert sorted(names(all=1, limit=-1)) == ["/new", "/old"]
    assert names(filters={"status": ["created"]}) == ["/old"]
    assert sorted(names(all="true", filters={"ancestor": {"nope": True}})) == []


def test_the_list_shows_the_name_of_an_image_while_it_means_that_image_and_then_its_id(api: Api) -> None:
    create(api)
    ours = Image(IMAGE, ("docker.io/library/busybox:latest",), (), NOON, 1, ImageConfig())
    api.image_source.add(ours)

    def shown() -> tuple[str, str]:
        (entry,) = api.get("/containers/json", all=1).json()
        return entry["Image"], entry["ImageID"]

    assert shown() == ("busybox", f"sha256:{IMAGE}")
    api.image_source.add(replace(ours, names=()))
    assert shown() == (f"sha256:{IMAGE}", f"sha256:{IMAGE}")
    api.image_source.add(image("other", *ours.names))
    assert shown()[0] == f"sha256:{IMAGE}"
    assert api.get("/containers/box/json").json()["Config"]["Image"] == "busybox"
    (podmans,) = api.get("/v5.0.0/libpod/containers/json", all="true").json()
    assert podmans["Image"] == "busybox"


def test_containers_are_listed_where_the_store_of_images_cannot_be_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(api)

    async def fail() -> None:
        raise HostError("images.json is broken")

    monkeypatch.setattr(api.image_source, "images", fail)
    (entry,) = api.get("/containers/json", all=1).json()
    assert entry["Image"] == f"sha256:{IMAGE}"


def test_wrong_filters_are_400_and_missing_containers_in_them_404(api: Api) -> None:
    assert api.get("/containers/json", filters={"foo": ["x"]}).status == 400
    assert message(api.get("/containers/json", filters={"foo": ["x"]})) == "invalid filter 'foo'"
    assert api.get("/containers/json", filters="bad").status == 400
    assert api.get("/containers/json", filters={"before": ["x"]}).status == 404


def test_wait_sends_its_head_first_and_the_code_with_a_null_error(api: Api) -> None:
    create(api)
    waiting = api.open("POST", "/containers/box/wait", condition="next-exit")
    assert (waiting.answer.status, waiting.answer.body, waiting.answer.whole) == (200, b"", False)
    api.post("/containers/box/start")
    api.engine.exit(3)
    assert waiting.answer.whole
    assert waiting.answer.json() == {"StatusCode": 3, "Error": None}


def test_wait_for_one_that_does_not_run_is_over_at_once(api: Api) -> None:
    start(api)
    api.engine.exit(7)
    assert api.post("/containers/box/wait").json()["StatusCode"] == 7
    assert not api.open("POST", "/containers/box/wait", condition="next-exit").answer.whole


def test_wait_for_the_removal_of_one_that_removes_itself_has_its_code(api: Api) -> None:
    start(api, HostConfig={"NetworkMode": "none", "AutoRemove": True})
    waiting = api.open("POST", "/containers/box/wait", condition="removed")
    api.engine.exit(5)
    assert waiting.answer.json() == {"StatusCode": 5, "Error": None}


def test_an_unknown_condition_is_400(api: Api) -> None:
    create(api)
    answer = api.post("/containers/box/wait", condition="foo")
    assert (answer.status, message(answer)) == (400, 'invalid condition: "foo"')


def test_resize_takes_height_and_width_in_their_places(api: Api) -> None:
    start(api, Tty=True)
    assert api.post("/containers/box/resize", h=3, w=4).status == 200
    assert api.engine.process().size == (3, 4)
    assert api.post("/containers/box/resize", h="x", w=4).status == 400
    assert api.post("/containers/box/resize", h=3).status == 400
    api.engine.exit()
    assert api.post("/containers/box/resize", h=3, w=4).status == 409


def test_a_list_is_whole_at_every_step_of_what_others_do(api: Api) -> None:
    queue: list[Deferred[None]] = []
    api.engine.gates.queue = queue
    shown: list[list[str]] = []
    for method, path, body in (
        ("POST", "/containers/create?name=box", PLAIN),
        ("POST", "/containers/box/start", None),
        ("DELETE", "/containers/box?force=1", None),
    ):
        doing = api.open(method, path, body)
        while queue:
            listed = api.get("/containers/json", all=1)
            assert (listed.status, api.get("/networks").status) == (200, 200)
            shown.append([each["State"] for each in listed.json()])
            queue.pop(0).callback(None)
        assert doing.answer.status in (201, 204)
    assert shown[0] == []
    assert [state for state in ("created", "running", "removing") if [state] in shown] == [
        "created",
        "running",
        "removing",
    ]
    assert api.get("/containers/json", all=1).json() == []
