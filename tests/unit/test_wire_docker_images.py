from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from apiserver.engine.ports.images import HistoryEntry, Image, ImageConfig, Layer, LoadedImage
from apiserver.errors import InvalidParameter, NoSuchImage
from apiserver.wire.docker.image_filters import select
from apiserver.wire.docker.images import history_json, image_json, loaded_texts, removed_json, summary_json
from apiserver.wire.libpod.images import history_json as libpod_history_json
from apiserver.wire.libpod.images import image_json as libpod_image_json
from tests.support.containers import CREATED

NOW = CREATED + timedelta(hours=1)
QUAY = "quay.io/a/b:v1"
IMAGE = Image(
    id="d" * 64,
    names=("docker.io/library/bb:t", "quay.io/a/b:v1"),
    digests=(),
    created=CREATED,
    size_bytes=1982284,
    config=ImageConfig(env=("A=b",), cmd=("sh",), exposed_ports=("80/tcp",), volumes=("/data",), labels={"l": "1"}),
    architecture="amd64",
    comment="Imported from -",
    layers=(Layer("x", "sha256:" + "1" * 64, 5),),
    history=(HistoryEntry(CREATED, "first"), HistoryEntry(NOW, "second", empty_layer=True)),
)
DANGLING = Image(id="e" * 64, names=(), digests=(), created=NOW, size_bytes=1, config=ImageConfig(), parent="d" * 64)
STEP = Image(id="f" * 64, names=(), digests=(), created=NOW, size_bytes=1, config=ImageConfig(), intermediate=True)


def test_a_listing_has_the_keys_of_docker_and_familiar_names() -> None:
    assert summary_json(IMAGE, -1, -1, (1, 51)) == {
        "Containers": -1,
        "Created": 1795518000,
        "Id": "sha256:" + "d" * 64,
        "Labels": {"l": "1"},
        "ParentId": "",
        "RepoDigests": [],
        "RepoTags": ["bb:t", "quay.io/a/b:v1"],
        "SharedSize": -1,
        "Size": 1982284,
    }


def test_a_virtual_size_is_for_clients_below_1_44() -> None:
    assert summary_json(IMAGE, -1, -1, (1, 43))["VirtualSize"] == image_json(IMAGE, "overlay", (1, 43))["VirtualSize"]
    assert "VirtualSize" not in image_json(IMAGE, "overlay", (1, 44))


def test_an_image_without_a_name_is_none_to_old_clients_and_empty_to_new_ones() -> None:
    assert summary_json(DANGLING, -1, -1, (1, 42))["RepoTags"] == ["<none>:<none>"]
    assert summary_json(DANGLING, -1, -1, (1, 43))["RepoTags"] == []
    assert summary_json(DANGLING, -1, -1, (1, 43))["ParentId"] == "sha256:" + "d" * 64


def test_inspect_has_what_clients_look_for() -> None:
    shown: Any = image_json(IMAGE, "overlay", (1, 51))
    assert (shown["Architecture"], shown["Os"], shown["Created"]) == ("amd64", "linux", "2026-11-24T11:00:00.123456Z")
    assert shown["RootFS"] == {"Type": "layers", "Layers": ["sha256:" + "1" * 64]}
    assert shown["Config"]["Cmd"] == ["sh"]
    assert shown["Config"]["Entrypoint"] is None
    assert (shown["Config"]["ExposedPorts"], shown["Config"]["Volumes"]) == ({"80/tcp": {}}, {"/data": {}})
    assert "ContainerConfig" not in shown


def test_an_images_configuration_was_a_containers_until_1_49() -> None:
    old: Any = image_json(IMAGE, "overlay", (1, 44))
    assert old["Config"]["Hostname"] == ""
    assert "ContainerConfig" in old
    new: Any = image_json(IMAGE, "overlay", (1, 50))
    assert "Hostname" not in new["Config"]


def test_what_an_image_does_not_set_is_null_or_empty_and_no_container_made_it() -> None:
    unset = {"User": "", "Env": None, "Cmd": None, "Volumes": None, "WorkingDir": "", "Entrypoint": None}
    current: Any = image_json(DANGLING, "overlay", (1, 51))
    assert current["Config"] == {**unset, "OnBuild": None, "Labels": None}
    old: Any = image_json(DANGLING, "overlay", (1, 44))
    assert old["Config"] == old["ContainerConfig"]
    assert "Container" not in old


def test_a_comment_is_the_images_or_that_of_its_last_step() -> None:
    steps = (HistoryEntry(CREATED, comment="first"), HistoryEntry(NOW, comment="last"))
    assert image_json(replace(IMAGE, history=steps), "overlay", (1, 51))["Comment"] == "Imported from -"
    assert image_json(replace(IMAGE, comment="", history=steps), "overlay", (1, 51))["Comment"] == "last"
    assert image_json(DANGLING, "overlay", (1, 51))["Comment"] == ""


def test_the_docker_that_made_an_image_is_named() -> None:
    made = replace(IMAGE, docker_version="26.1.5")
    assert image_json(made, "overlay", (1, 51))["DockerVersion"] == "26.1.5"
    assert libpod_image_json(made, "overlay")["Version"] == "26.1.5"


def test_a_time_that_no_image_has_is_left_out_or_zero_to_old_clients() -> None:
    timeless = replace(IMAGE, created=None)
    assert "Created" not in image_json(timeless, "overlay", (1, 44))
    assert image_json(timeless, "overlay", (1, 43))["Created"] == "0001-01-01T00:00:00Z"


def test_a_step_of_podmans_history_is_the_image_that_ends_with_its_layer() -> None:
    names = (("base", ("r/base:1", "r/base:2")), ("same", ("r/same:1",)), ("other", ("r/other:1",)))
    base, same, other = (replace(IMAGE, id=each, names=tags) for each, tags in names)
    top = Layer("y", "sha256:" + "2" * 64, 6)
    other = replace(other, layers=(replace(top, id="z"),))
    steps = (HistoryEntry(CREATED, "nothing", empty_layer=True), HistoryEntry(CREATED, "a"), HistoryEntry(NOW, "b"))
    step = HistoryEntry(NOW, "label", empty_layer=True)
    image = replace(IMAGE, names=(QUAY,), layers=(*IMAGE.layers, top), history=(*steps, step))
    assert [(each["Id"], each["Tags"]) for each in libpod_history_json(image, (base, other, image, same))] == [
        (image.id, [QUAY]),
        ("<missing>", [QUAY]),
        ("base", ["r/base:1", "r/base:2", "r/same:1"]),
        ("<missing>", None),
    ]


def test_an_image_is_the_first_of_those_that_share_its_layers() -> None:
    sibling = replace(IMAGE, id="sibling", names=("r/sibling:1",))
    newest, _ = libpod_history_json(IMAGE, (sibling, IMAGE))
    assert (newest["Id"], newest["Tags"]) == (IMAGE.id, [*IMAGE.names, "r/sibling:1"])


def test_history_is_newest_first_and_has_one_id() -> None:
    newest, oldest = history_json(IMAGE)
    assert (newest["Id"], newest["CreatedBy"], oldest["Id"]) == ("sha256:" + "d" * 64, "second", "<missing>")


def test_removal_tells_names_before_ids() -> None:
    assert removed_json(["docker.io/library/bb:t"], ["d" * 64]) == [
        {"Untagged": "bb:t"},
        {"Deleted": "sha256:" + "d" * 64},
    ]


def test_load_has_a_line_for_each_name_or_for_the_id() -> None:
    loaded = [
        LoadedImage("d" * 64, ("docker.io/library/bb:t", "quay.io/x:y")),
        LoadedImage("e" * 64, ()),
    ]
    assert loaded_texts(loaded) == [
        "Loaded image: bb:t\n",
        "Loaded image: quay.io/x:y\n",
        "Loaded image ID: sha256:" + "e" * 64 + "\n",
    ]


def find(name: str) -> Image:
    if name == "bb:t":
        return IMAGE
    raise NoSuchImage(name)


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, "de"),
        ({"dangling": ("true",)}, "e"),
        ({"dangling": ("false",)}, "d"),
        ({"label": ("l=1",)}, "d"),
        ({"since": ("bb:t",)}, "e"),
        ({"before": ("bb:t",)}, ""),
        ({"until": ("30m",)}, "d"),
        ({"reference": ("bb",)}, "d"),
        ({"reference": ("b*:?",)}, "d"),
        ({"reference": ("quay.io/*/b",)}, "d"),
        ({"reference": ("*/b",)}, ""),
        ({"reference": ("x", "b[a-c]")}, "d"),
        ({"reference": ("bb",), "dangling": ("true",)}, ""),
    ],
)
def test_filters_of_a_listing(filters: dict[str, tuple[str, ...]], ids: str) -> None:
    assert "".join(image.id[0] for image in select((IMAGE, DANGLING, STEP), filters, find, NOW)) == ids


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("bb", {"docker.io/library/bb:t"}),
        ("*", {"docker.io/library/bb:t", "localhost/mine:v1"}),
        ("quay.io/a/b", {QUAY}),
    ],
)
def test_of_an_image_those_names_alone_are_listed_that_a_filter_finds(pattern: str, names: set[str]) -> None:
    image = replace(IMAGE, names=(*IMAGE.names, "localhost/mine:v1"))
    (shown,) = select((image,), {"reference": (pattern,)}, find, NOW)
    assert set(shown.names) == names


@pytest.mark.parametrize(
    ("pattern", "tags", "digests"),
    [
        ("quay.io/a/b", ["quay.io/a/b:v1"], ["quay.io/a/b@sha256:" + "1" * 64]),
        ("quay.io/a/b:v1", ["quay.io/a/b:v1"], []),
        ("quay.io/a/b@sha256:" + "1" * 64, [], ["quay.io/a/b@sha256:" + "1" * 64]),
        ("quay.io/c/d", [], ["quay.io/c/d@sha256:" + "2" * 64]),
    ],
)
def test_of_the_digests_of_an_image_those_alone_are_listed_that_a_filter_finds(
    pattern: str, tags: list[str], digests: list[str]
) -> None:
    """As dockerd, daemon/images/images.go: its client shows a line for each repository that has a digest."""
    image = replace(IMAGE, digests=("quay.io/c/d@sha256:" + "2" * 64,), pulled=("quay.io/a/b@sha256:" + "1" * 64,))
    (chosen,) = select((image,), {"reference": (pattern,)}, find, NOW)
    shown = summary_json(chosen, -1, -1, (1, 51))
    assert (shown["RepoTags"], shown["RepoDigests"]) == (tags, digests)


@pytest.mark.parametrize("pattern", ["mine", "mine:v1", "localhost/mine", "localhost/*"])
def test_what_podman_clients_called_by_a_short_name_is_found_by_that(pattern: str) -> None:
    image = replace(IMAGE, names=("localhost/mine:v1",))
    assert select((image,), {"reference": (pattern,)}, find, NOW) == [image]


def test_steps_of_a_build_are_shown_where_all_are_asked_for() -> None:
    assert STEP in select((STEP,), {}, find, NOW, intermediate=True)


@pytest.mark.parametrize(
    "filters", [{"foo": ("x",)}, {"dangling": ("x",)}, {"until": ("x",)}, {"reference": ("*a" * 9,)}]
)
def test_a_wrong_filter_is_refused(filters: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InvalidParameter):
        select((IMAGE,), filters, find, NOW)


def test_since_an_image_that_is_not_there_is_missing() -> None:
    with pytest.raises(NoSuchImage):
        select((IMAGE,), {"since": ("nope",)}, find, NOW)


def test_the_layers_are_named_where_the_back_end_says_where_they_are() -> None:
    assert image_json(IMAGE, "overlay", (1, 51))["GraphDriver"] == {"Data": None, "Name": "overlay"}
    layers = (Layer("1", "", 1, "/s/1/diff", "/s/1/work"), Layer("2", "", 2, "/s/2/diff", "/s/2/work"))
    two: Any = image_json(replace(IMAGE, layers=layers), "overlay", (1, 51))
    assert two["GraphDriver"]["Data"] == {"LowerDir": "/s/1/diff", "UpperDir": "/s/2/diff", "WorkDir": "/s/2/work"}
    one: Any = libpod_image_json(replace(IMAGE, layers=layers[:1]), "overlay")
    assert one["GraphDriver"]["Data"] == {"UpperDir": "/s/1/diff", "WorkDir": "/s/1/work"}
    assert libpod_image_json(IMAGE, "overlay")["GraphDriver"] == {"Name": "overlay", "Data": {}}


def test_the_time_of_an_image_has_all_its_digits() -> None:
    exact = replace(IMAGE, created_nanosecond=123456789, history=(HistoryEntry(CREATED, created_nanosecond=5),))
    assert image_json(exact, "overlay", (1, 51))["Created"] == "2026-11-24T11:00:00.123456789Z"
    shown: Any = libpod_image_json(exact, "overlay")
    assert shown["Created"] == "2026-11-24T11:00:00.123456789Z"
    assert shown["History"][0]["created"] == "2026-11-24T11:00:00.000000005Z"
