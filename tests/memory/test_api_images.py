from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.fakes.images import archive_of
from tests.support.api import Api


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def load(api: Api, *images: tuple[str, list[str]]) -> Any:
    return api.post("/images/load", archive_of(*images))


def test_load_has_a_line_for_each_name_of_each_image(api: Api) -> None:
    answer = load(api, ("one", ["docker.io/library/foo:bar", "quay.io/a/b:c"]), ("two", []))
    assert (answer.status, answer.whole) == (200, True)
    first, second, third = answer.lines()
    assert (first, second) == (
        {"stream": "Loaded image: foo:bar\n"},
        {"stream": "Loaded image: quay.io/a/b:c\n"},
    )
    assert third["stream"].startswith("Loaded image ID: sha256:")


def test_what_is_no_archive_is_400_with_a_message(api: Api) -> None:
    answer = api.post("/images/load", b"no archive")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["message"]


def test_a_client_that_leaves_in_the_middle_of_a_load_leaves_nothing(api: Api) -> None:
    connection = api.connect()
    connection.send(b"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n[[")
    connection.hang_up()
    assert api.get("/images/json").json() == []


def test_import_answers_with_the_id_and_applies_the_changes(api: Api) -> None:
    answer = api.post(
        "/images/create", b"tar", fromSrc="-", repo="im", tag="x", message="hello", changes="ENV a=b", platform=""
    )
    (line,) = answer.lines()
    shown = api.get("/images/im:x/json").json()
    assert line == {"status": shown["Id"]}
    assert (shown["RepoTags"], shown["Comment"], shown["Config"]["Env"]) == (["im:x"], "hello", ["a=b"])


def test_import_without_a_name_makes_a_dangling_image(api: Api) -> None:
    assert api.post("/images/create", b"tar", fromSrc="-").status == 200
    (shown,) = api.get("/images/json").json()
    assert shown["RepoTags"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"fromSrc": "-", "repo": "BAD"}, 400),
        ({"fromSrc": "-", "changes": "RUN ls"}, 400),
        ({"fromSrc": "http://x/y.tar"}, 501),
        ({}, 405),
    ],
)
def test_what_cannot_be_imported_is_refused(api: Api, query: dict[str, str], status: int) -> None:
    answer = api.post("/images/create", b"tar", **query)
    assert answer.status == status
    assert answer.json()["message"]


def test_tag_is_201_and_the_tag_of_the_query_wins(api: Api) -> None:
    load(api, ("one", ["docker.io/library/foo:bar"]))
    assert api.post("/images/foo:bar/tag", repo="other").status == 201
    assert api.post("/images/foo:bar/tag", repo="quay.io/x/y:z", tag="t").status == 201
    assert api.get("/images/foo:bar/json").json()["RepoTags"] == ["foo:bar", "other:latest", "quay.io/x/y:t"]


@pytest.mark.parametrize(
    "query", [{"repo": "FOO"}, {}, {"repo": "a", "tag": "b c"}, {"repo": f"a@sha256:{'0' * 64}"}, {"repo": "sha256"}]
)
def test_a_name_that_no_image_can_have_is_400(api: Api, query: dict[str, str]) -> None:
    load(api, ("one", ["docker.io/library/foo:bar"]))
    assert api.post("/images/foo:bar/tag", **query).status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/images/nope/json"),
        ("GET", "/images/nope/history"),
        ("DELETE", "/images/nope"),
        ("POST", "/images/nope/tag?repo=x"),
    ],
)
def test_a_missing_image_is_404_with_its_tag(api: Api, method: str, path: str) -> None:
    answer = api.open(method, path).answer
    assert (answer.status, answer.json()["message"]) == (404, "No such image: nope:latest")


def test_names_of_images_may_hold_slashes(api: Api) -> None:
    load(api, ("one", ["quay.io/a/b:c"]))
    assert api.get("/images/quay.io/a/b:c/json").status == 200
    assert api.get("/images/quay.io%2Fa%2Fb:c/json").status == 200
    assert api.get("/v1.44/images/quay.io/a/b:c/history").status == 200


def test_remove_untags_and_then_deletes(api: Api) -> None:
    load(api, ("one", ["docker.io/library/foo:bar", "docker.io/library/foo:baz"]))
    assert api.delete("/images/foo:bar").json() == [{"Untagged": "foo:bar"}]
    untagged, deleted = api.delete("/images/foo:baz").json()
    assert untagged == {"Untagged": "foo:baz"}
    assert deleted["Deleted"].startswith("sha256:")


def test_the_list_takes_filters_and_says_what_is_wrong_with_them(api: Api) -> None:
    load(api, ("one", ["docker.io/library/foo:bar"]), ("two", []))
    assert len(api.get("/images/json").json()) == 2
    assert [each["RepoTags"] for each in api.get("/images/json", filters={"reference": ["foo"]}).json()] == [
        ["foo:bar"]
    ]
    assert api.get("/v1.40/images/json", filter="foo").json()[0]["RepoTags"] == ["foo:bar"]
    assert api.get("/images/json", filters={"foo": ["x"]}).status == 400
    assert api.get("/images/json", filters={"since": ["nope"]}).status == 404
    assert api.get("/images/json", **{"shared-size": 1}).json()[0]["Containers"] == 0
