from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.fakes.images import archive_of
from tests.support.api import Api

IMAGES = "/v5.0.0/libpod/images"
NAME = "docker.io/library/busybox:1"


@pytest.fixture
def api() -> Generator[Api, None, None]:
    api = Api()
    yield api
    api.hang_up()


def load(api: Api, *images: tuple[str, list[str]]) -> list[str]:
    answer = api.post(f"{IMAGES}/load", archive_of(*images))
    assert answer.status == 200
    names: list[str] = answer.json()["Names"]
    return names


def names(api: Api, **query: Any) -> list[str]:
    return sorted(name for each in api.get(f"{IMAGES}/json", **query).json() for name in each["RepoTags"])


def test_a_load_tells_the_names_that_came_in(api: Api) -> None:
    assert load(api, ("a", [NAME, "quay.io/x:1"])) == [NAME, "quay.io/x:1"]
    (nameless,) = load(api, ("b", []))
    assert nameless.startswith("sha256:")
    assert api.post(f"{IMAGES}/load", b"nothing").status == 400


def test_an_imported_layer_has_its_short_name_in_localhost(api: Api) -> None:
    made = api.post(f"{IMAGES}/import", b"tar", reference="mine", changes="CMD ls", message="by hand")
    assert (made.status, made.json()["Id"][:7]) == (200, "sha256:")
    shown = api.get(f"{IMAGES}/mine/json").json()
    assert (shown["RepoTags"], shown["Comment"]) == (["localhost/mine:latest"], "by hand")
    assert api.post(f"{IMAGES}/import", b"tar", URL="http://x").status == 501


@pytest.mark.parametrize("change", ["CMD /x", "CMD=/x", "cmd=/x"])
def test_a_change_may_be_written_as_an_assignment(api: Api, change: str) -> None:
    assert api.post(f"{IMAGES}/import", b"tar", reference="mine", changes=change).status == 200
    assert api.get(f"{IMAGES}/mine/json").json()["Config"]["Cmd"] == ["/bin/sh", "-c", "/x"]


def test_names_are_whole_and_ids_are_digits_alone(api: Api) -> None:
    load(api, ("a", [NAME]))
    (listed,) = api.get(f"{IMAGES}/json").json()
    assert (len(listed["Id"]), listed["RepoTags"], listed["Names"], listed["Containers"]) == (64, [NAME], [NAME], 0)
    assert listed["RepoDigests"] == [f"docker.io/library/busybox@{listed['Digest']}"]
    shown = api.get(f"{IMAGES}/busybox:1/json").json()
    assert (shown["Id"], shown["RepoTags"]) == (listed["Id"], [NAME])
    (step,) = api.get(f"{IMAGES}/busybox:1/history").json()
    assert (step["Id"], step["Tags"]) == (listed["Id"], [NAME])


def test_a_short_name_is_local_to_libpod_and_of_the_hub_to_docker_clients(api: Api) -> None:
    assert load(api, ("a", ["x:1"])) == ["localhost/x:1"]
    assert api.post("/images/load", archive_of(("b", ["x:1"]))).status == 200
    assert names(api) == ["docker.io/library/x:1", "localhost/x:1"]
    assert api.get(f"{IMAGES}/x:1/json").json()["RepoTags"] == ["localhost/x:1"]
    assert api.get("/images/x:1/json").json()["RepoTags"] == ["x:1"]
    assert api.delete(f"{IMAGES}/x:1").json()["Untagged"] == ["localhost/x:1"]
    assert api.get("/images/x:1/json").status == 200


def test_a_missing_image_is_404_in_podmans_words(api: Api) -> None:
    searched = [api.get(f"{IMAGES}/nope/{path}") for path in ("json", "history")]
    for answer in (*searched, api.post(f"{IMAGES}/nope/tag?repo=x"), api.post(f"{IMAGES}/nope/untag")):
        words = "failed to find image nope: nope: image not known"
        assert (answer.status, answer.json()["cause"], answer.json()["message"]) == (404, "image not known", words)
    for answer in (api.get(f"{IMAGES}/nope/exists"), api.delete(f"{IMAGES}/nope")):
        assert (answer.status, answer.json()["message"]) == (404, "nope: image not known")


def test_tag_and_untag_are_about_localhost(api: Api) -> None:
    load(api, ("a", [NAME]))
    assert api.post(f"{IMAGES}/busybox:1/tag?repo=mine&tag=2").status == 201
    assert names(api) == [NAME, "localhost/mine:2"]
    assert api.get(f"{IMAGES}/mine:2/exists").status == 204
    assert api.post(f"{IMAGES}/busybox:1/untag?repo=other&tag=2").status == 404
    assert api.post(f"{IMAGES}/busybox:1/untag?repo=mine&tag=2").status == 201
    assert names(api) == [NAME]
    assert api.post(f"{IMAGES}/busybox:1/tag?tag=2").status == 400
    assert api.post(f"{IMAGES}/busybox:1/untag?tag=2").status == 400


def test_untag_without_a_name_takes_all_and_leaves_the_image(api: Api) -> None:
    load(api, ("a", [NAME, "quay.io/x:1"]))
    assert api.post(f"{IMAGES}/busybox:1/untag").status == 201
    (left,) = api.get(f"{IMAGES}/json").json()
    assert (left["RepoTags"], left["Dangling"]) == ([], True)


def test_a_removal_reports_names_and_ids(api: Api) -> None:
    load(api, ("a", [NAME]))
    (listed,) = api.get(f"{IMAGES}/json").json()
    assert api.delete(f"{IMAGES}/busybox:1").json() == {
        "Untagged": [NAME],
        "Deleted": [listed["Id"]],
        "ExitCode": 0,
        "Errors": [],
    }


def test_a_batch_removes_what_it_can_and_says_what_it_could_not(api: Api) -> None:
    load(api, ("a", [NAME]), ("b", ["quay.io/x:1"]))
    answer = api.delete(f"{IMAGES}/remove?images=busybox:1&images=nope&images=quay.io/x:1")
    report = answer.json()
    assert (answer.status, report["ExitCode"], report["Untagged"]) == (200, 1, [NAME, "quay.io/x:1"])
    assert report["Errors"] == ["nope: image not known"]
    assert api.delete(f"{IMAGES}/remove?images=nope&ignore=true").json() == {"ExitCode": 0, "Errors": []}


def test_a_batch_of_all_removes_all(api: Api) -> None:
    load(api, ("a", [NAME, "quay.io/x:1"]), ("b", []))
    report = api.delete(f"{IMAGES}/remove?all=true").json()
    assert (report["ExitCode"], len(report["Deleted"]), api.get(f"{IMAGES}/json").json()) == (0, 2, [])


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"reference": ["busybox"]}, [NAME]),
        ({"reference": ["bus*:1"]}, [NAME]),
        ({"reference": ["quay.io/x:1"]}, ["quay.io/x:1"]),
        ({"reference": ["docker.io/busybox:1"]}, [NAME]),
        ({"dangling": ["false"]}, [NAME, "quay.io/x:1"]),
        ({"label": ["x"]}, []),
        ({"label!": ["x"]}, [NAME, "quay.io/x:1"]),
        ({"since": ["busybox:1"]}, []),
        ({"before": ["busybox:1"]}, []),
        ({"until": ["1"]}, []),
        ({"containers": ["true"]}, []),
        ({"readonly": ["true"]}, []),
        ({"intermediate": ["true"]}, []),
        ({"id": ["nope"]}, []),
        ({"digest": ["sha256:"]}, [NAME, "quay.io/x:1"]),
    ],
)
def test_filters_of_images_are_podmans(api: Api, filters: dict[str, list[str]], found: list[str]) -> None:
    load(api, ("a", [NAME]), ("b", ["quay.io/x:1"]))
    assert names(api, filters=filters) == found


def test_a_filter_that_makes_no_sense_is_refused(api: Api) -> None:
    load(api, ("a", [NAME]))
    for filters in ({"nonsense": ["x"]}, {"dangling": ["maybe"]}, {"reference": ["*a*b*c*d*e"]}):
        assert api.get(f"{IMAGES}/json", filters=filters).status == 400
    assert api.get(f"{IMAGES}/json", filters={"before": ["nope"]}).status == 404
    refused = api.get(f"{IMAGES}/json", filters={"digest": ["sha256:1", "1234abcd"]})
    assert (refused.status, refused.json()["message"]) == (400, 'invalid value "1234abcd" for digest filter')
