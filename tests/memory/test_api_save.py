"""Saving over the API: what a client means, under which names, and every error before the head."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from twisted.internet.defer import Deferred

from apiserver.engine.ports.images import ByteSink, SavedImage, SaveForm, SaveFormat
from apiserver.errors import HostError
from tests.fakes.images import image
from tests.support.api import Api

ONE = image("one", "docker.io/library/one:1", "docker.io/library/one:2")
TWO = image("two", "docker.io/library/one:3", "quay.io/a/b:c")
HEX = image("hex", "docker.io/library/abc:1")
DOCKER, LIBPOD = "/images/get", "/v5.0.0/libpod/images/export"


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    api.image_source.add(ONE, TWO, HEX)
    yield api
    api.hang_up()


def saved(api: Api, path: str, **query: object) -> list[tuple[str, tuple[str, ...]]]:
    """(seed, names) of each image that was sent."""
    answer = api.get(f"{path}?{urlencode(query, doseq=True)}")
    assert (answer.status, answer.whole) == (200, True), answer
    return [(seed, tuple(names)) for seed, names in json.loads(answer.body)]


def told(api: Api) -> list[Any]:
    """The records of what was saved."""
    now = str(int(api.engine.clock.seconds()))
    api.engine.clock.advance(2)
    return api.get("/events", since="1", until=str(int(now) + 1), filters={"event": ["save"]}).lines()


def test_a_name_is_saved_as_docker_says_it(api: Api) -> None:
    answer = api.get("/images/one:1/get")
    assert answer.headers["content-type"] == "application/x-tar"
    assert saved(api, "/images/docker.io/library/one:1/get") == [("one", ("one:1",))]
    assert saved(api, "/images/quay.io/a/b:c/get") == [("two", ("quay.io/a/b:c",))]


def test_a_name_without_a_tag_is_all_tags_of_its_repository(api: Api) -> None:
    assert saved(api, "/images/one/get") == [("one", ("one:1", "one:2")), ("two", ("one:3",))]


def test_an_id_and_a_digest_are_saved_without_a_name(api: Api) -> None:
    for text in (ONE.id, f"sha256:{ONE.id}", ONE.id[:12], f"one@{ONE.manifest_digest}"):
        assert saved(api, f"/images/{text}/get") == [("one", ())]


def test_each_image_is_saved_once_with_all_names_that_were_asked_for(api: Api) -> None:
    names = ["one:2", TWO.id, "abc", "quay.io/a/b:c", "one:1", "one:2"]
    assert saved(api, DOCKER, names=names) == [
        ("one", ("one:2", "one:1")),
        ("two", ("quay.io/a/b:c",)),
        ("hex", ("abc:1",)),
    ]


def test_libpod_names_are_whole_and_without_a_tag_mean_latest(api: Api) -> None:
    found = saved(api, LIBPOD, references=["one:1", "b:c"], format="docker-archive")
    assert found == [("one", ("docker.io/library/one:1",)), ("two", ("quay.io/a/b:c",))]
    assert api.get("/v5.0.0/libpod/images/one/get").status == 404


def test_libpod_has_an_oci_archive_where_nothing_else_is_wanted(api: Api) -> None:
    api.get("/v5.0.0/libpod/images/one:1/get")
    api.get("/v5.0.0/libpod/images/one:1/get", format="docker-dir", compress="true")
    api.get(LIBPOD, references="one:1", ociAcceptUncompressedLayers="true")
    assert [form for _, form in api.image_source.saved] == [
        SaveForm(SaveFormat.OCI_ARCHIVE),
        SaveForm(SaveFormat.DOCKER_DIRECTORY, compress=True),
        SaveForm(SaveFormat.OCI_ARCHIVE, uncompressed=True),
    ]


def test_podmans_own_types(api: Api) -> None:
    for format_, type_ in (("docker-archive", "application/octet; charset=us-ascii"), ("oci-dir", "application/x-tar")):
        answer = api.get("/v5.0.0/libpod/images/one:1/get", format=format_)
        assert (answer.status, answer.headers["content-type"]) == (200, type_)


@pytest.mark.parametrize(
    "path",
    [
        DOCKER,
        LIBPOD,
        f"{DOCKER}?names=",
        f"{DOCKER}?names=BAD",
        f"{DOCKER}?names=one:1&platform=linux",
        f"{LIBPOD}?references=one:1&references=b:c",
        f"{LIBPOD}?references=one:1&format=zip",
        "/v5.0.0/libpod/images/one:1/get?format=zip",
        "/v5.0.0/libpod/images/one:1/get?compress=maybe",
    ],
)
def test_what_makes_no_sense_is_400(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status, bool(answer.json()["message"])) == (400, True)
    assert api.image_source.saved == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/images/nope/get", "No such image: nope:latest"),
        (f"{DOCKER}?names=one:1&names=nope:1", "No such image: nope:1"),
        ("/v5.0.0/libpod/images/nope/get", "nope: image not known"),
        (f"{LIBPOD}?references=nope", "nope: image not known"),
    ],
)
def test_what_is_not_here_is_404_in_each_flavours_words(api: Api, path: str, words: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.json()["message"]) == (404, words)
    assert api.image_source.saved == []


def test_an_image_whose_layer_is_gone_is_409_before_the_head(api: Api) -> None:
    api.image_source.removed_underneath.add(TWO.id)
    answer = api.get(f"{DOCKER}?names=one:1&names=one:3")
    assert (answer.status, "image removed underneath" in answer.json()["message"]) == (409, True)


def test_the_platform_must_be_the_images(api: Api) -> None:
    for platform, status in (
        ({"os": "linux", "architecture": "amd64"}, 200),
        ({"os": "linux", "architecture": "amd64", "variant": "v2"}, 200),
        ({"os": "linux", "architecture": "arm", "variant": "v7"}, 404),
    ):
        assert api.get("/images/one:1/get", platform=platform).status == status
    said = api.get("/images/one:1/get", platform=platform).json()["message"]
    assert said == "no suitable export target found for platform linux/arm/v7"


def test_an_event_tells_of_each_image_that_was_saved(api: Api) -> None:
    saved(api, "/images/one/get")
    assert [(each["status"], each["id"]) for each in told(api)] == [
        ("save", f"sha256:{ONE.id}"),
        ("save", f"sha256:{TWO.id}"),
    ]


class Held:
    """A save that goes on until the test says so."""

    def __init__(self) -> None:
        self.going: Deferred[None] = Deferred(lambda _: self.cancelled.append(True))
        self.cancelled: list[bool] = []

    async def save(self, images: Sequence[SavedImage], form: SaveForm, sink: ByteSink) -> None:
        await sink(b"first")
        await self.going


@pytest.fixture
def held(api: Api, monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    monkeypatch.setattr(api.image_source, "save", held.save)
    return held


def test_a_client_that_leaves_ends_its_save(api: Api, held: Held) -> None:
    connection = api.open("GET", "/images/one:1/get")
    assert connection.answer.body == b"first"
    connection.hang_up()
    assert held.cancelled == [True]
    assert told(api) == []


def test_an_error_after_the_head_cuts_the_answer(api: Api, held: Held) -> None:
    connection = api.open("GET", "/images/one:1/get")
    held.going.errback(HostError("skopeo failed"))
    assert (connection.answer.status, connection.answer.whole, connection.closed) == (200, False, True)
