from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apiserver.drivers.containers_storage import StoreFiles
from apiserver.engine.ports.images import Healthcheck
from apiserver.errors import ImageRemovedUnderneath
from apiserver.local.images.model_json import NAMELESS, nanosecond_of, parse_time
from apiserver.local.images.reader import StoreReader, StoreUnreadable
from tests.support.results import at_once, result_of
from tests.support.store_files import StoreWriter

CREATED = "2024-05-06T07:08:09.123456789Z"


def config(*steps: str, **run: Any) -> dict[str, Any]:
    history = [{"created": CREATED, "created_by": step, "empty_layer": step.startswith("ENV")} for step in steps]
    return {
        "created": CREATED,
        "architecture": "arm",
        "variant": "v7",
        "os": "linux",
        "config": run,
        "history": history,
    }


@pytest.fixture
def store(tmp_path: Path) -> StoreWriter:
    return StoreWriter(tmp_path)


def reader(store: StoreWriter) -> StoreReader:
    return StoreReader(StoreFiles(store.root), at_once)


def test_a_missing_store_is_empty(store: StoreWriter) -> None:
    assert dict(result_of(reader(store).images())) == {}


def test_an_image_is_read_with_its_configuration_layers_and_history(store: StoreWriter) -> None:
    base = store.layer("base", size=100)
    top = store.layer("top", base, size=20)
    run: dict[str, Any] = {
        "Env": ["A=b"],
        "Cmd": ["sh"],
        "Entrypoint": None,
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Volumes": {"/data": {}},
        "WorkingDir": "/w",
        "Labels": None,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5, "Retries": 3},
        "Unknown": 1,
    }
    made = {**config("ADD", "ENV A=b", "COPY", **run), "docker_version": "26.1.5"}
    image_id = store.image(made, top, ["docker.io/library/x:1", "x.io/x@sha256:1"])
    store.write()
    image = result_of(reader(store).images())[image_id]
    assert (image.names, image.digests) == (("docker.io/library/x:1",), ("x.io/x@sha256:1",))
    assert (image.size_bytes, [layer.id for layer in image.layers]) == (120, [base, top])
    assert [(entry.created_by, entry.size_bytes) for entry in image.history] == [
        ("ADD", 100),
        ("ENV A=b", 0),
        ("COPY", 20),
    ]
    assert (image.config.exposed_ports, image.config.volumes) == (("53/udp", "80/tcp"), ("/data",))
    assert (image.config.entrypoint, image.config.labels) == (None, {})
    assert image.config.healthcheck == Healthcheck(("CMD", "true"), interval_ns=5, retries=3)
    assert (image.created, image.architecture, image.variant, image.docker_version) == (
        datetime(2024, 5, 6, 7, 8, 9, 123456, UTC),
        "arm",
        "v7",
        "26.1.5",
    )


def test_nothing_is_read_again_until_the_store_changes(store: StoreWriter) -> None:
    store.image(config("A"), store.layer("a"))
    store.write()
    one = reader(store)
    first = result_of(one.images())
    assert result_of(one.images()) is first
    store.image(config("B"), store.layer("b"))
    store.write()
    assert len(result_of(one.images())) == 2


def test_the_hidden_name_of_a_nameless_image_is_shown_to_nobody(store: StoreWriter) -> None:
    image_id = store.image(config("A"), store.layer("a"), [NAMELESS + "12"])
    store.write()
    assert result_of(reader(store).images())[image_id].names == ()


def test_the_steps_of_a_build_are_intermediate_while_something_is_built_on_them(store: StoreWriter) -> None:
    layer = store.layer("a")
    base = store.image(config("A"), layer, ["docker.io/library/base:1"])
    step = store.image(config("A", "ENV 1"), layer)
    built = store.image(config("A", "ENV 1", "ENV 2"), layer, ["docker.io/library/built:1"])
    dangling = store.image(config("A", "ENV 3"), layer)
    store.write()
    images = result_of(reader(store).images())
    assert [images[each].parent for each in (base, step, built, dangling)] == [None, base, step, base]
    assert [images[each].intermediate for each in (base, step, built, dangling)] == [False, True, False, False]


def test_the_same_history_over_other_layers_is_no_parent(store: StoreWriter) -> None:
    store.image(config("A"), store.layer("a"))
    other = store.image(config("A", "ENV 1"), store.layer("b"))
    store.write()
    assert result_of(reader(store).images())[other].parent is None


@pytest.mark.parametrize("broken", ['{"config": {"Env": 5}}', "[", "null", "\xff", '{"config": {"Env": [' * 5000])
def test_an_image_that_cannot_be_read_hides_only_itself(store: StoreWriter, broken: str) -> None:
    layer = store.layer("a")
    good, bad = store.image(config("A"), layer), store.image(config("B"), layer)
    store.write()
    (blob,) = (store.root / "overlay-images" / bad).iterdir()
    blob.write_text(broken, encoding="latin-1")
    assert list(result_of(reader(store).images())) == [good]


def test_an_image_whose_layer_or_configuration_is_not_there_is_left_out(store: StoreWriter) -> None:
    good = store.image(config("A"), store.layer("a"))
    store.image(config("B"), "f" * 64)
    lost = store.image(config("C"), store.layer("c"))
    store.write()
    for path in (store.root / "overlay-images" / lost).iterdir():
        path.unlink()
    assert list(result_of(reader(store).images())) == [good]


def test_layers_that_are_each_others_parents_do_not_hang_the_reader(store: StoreWriter) -> None:
    layer = store.layer("a")
    store.layers[0]["parent"] = layer
    store.image(config("A"), layer)
    store.write()
    assert dict(result_of(reader(store).images())) == {}


def test_a_configuration_of_absurd_size_is_not_read(store: StoreWriter) -> None:
    store.image(config("A" * (5 << 20)), store.layer("a"))
    store.write()
    assert dict(result_of(reader(store).images())) == {}


def test_a_list_that_is_no_list_is_an_error_and_not_an_empty_store(store: StoreWriter) -> None:
    store.write()
    (store.root / "overlay-images" / "images.json").write_text("{")
    with pytest.raises(StoreUnreadable):
        result_of(reader(store).images())


def test_lower_directories_are_the_nearest_first_and_all_there(store: StoreWriter) -> None:
    base = store.layer("base")
    top = store.layer("top", base)
    image_id = store.image(config("A", "B"), top)
    store.write()
    one = reader(store)
    image = result_of(one.images())[image_id]
    expected = [store.root / "overlay" / layer / "diff" for layer in (top, base)]
    assert result_of(one.lower_directories(image)) == expected
    expected[1].rmdir()
    with pytest.raises(ImageRemovedUnderneath, match="image removed underneath"):
        result_of(one.lower_directories(image))


@pytest.mark.parametrize("text", ["", None, "0001-01-01T00:00:00Z", "yesterday", "2024-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_none(text: str | None) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("text", "nanosecond"),
    [
        ("2024-05-06T07:08:09.123456789Z", 123456789),
        ("2024-05-06T07:08:09.1234567+02:00", 123456700),
        ("2024-05-06T07:08:09.123456Z", None),
        ("2024-05-06T07:08:09Z", None),
        ("", None),
        (None, None),
    ],
)
def test_a_fraction_of_a_second_is_kept_where_a_time_has_no_room_for_it(
    text: str | None, nanosecond: int | None
) -> None:
    assert nanosecond_of(text) == nanosecond
