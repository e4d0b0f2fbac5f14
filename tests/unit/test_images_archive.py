from __future__ import annotations

import json
from pathlib import Path

import pytest

from apiserver.engine.names import InvalidReference, canonical_name
from apiserver.http.flavour import Flavour
from apiserver.local.images.archive import ArchivedImage, archived_images
from apiserver.local.images.compression import Damaged
from tests.support.image_archive import Entry, TestImage, docker_archive, layer, oci_archive, tar_of

ONE = TestImage((layer([Entry("x", b"1")]),), ("one:1", "host:5000/me/one"))
TWO = TestImage((layer([Entry("x", b"2")]),))


def read(tmp_path: Path, archive: bytes) -> list[ArchivedImage]:
    path = tmp_path / "archive.tar"
    path.write_bytes(archive)
    return list(archived_images(path, tmp_path, canonical_name))


def test_a_docker_archive_names_its_images_in_order_and_is_read_in_place(tmp_path: Path) -> None:
    one, two = read(tmp_path, docker_archive(ONE, TWO))
    assert one.names == ("docker.io/library/one:1", "host:5000/me/one:latest")
    assert two.names == ()
    assert [one.source, two.source] == [f"docker-archive:{tmp_path}/archive.tar:@{n}" for n in (0, 1)]


def test_an_oci_archive_becomes_a_layout_for_each_image(tmp_path: Path) -> None:
    one, two = read(tmp_path, oci_archive(ONE, TWO))
    assert one.names == ("docker.io/library/one:1", "host:5000/me/one:latest")
    assert two.names == ()
    for image in (one, two):
        layout = Path(image.source.removeprefix("oci:"))
        index = json.loads((layout / "index.json").read_text())
        (manifest,) = index["manifests"]
        assert (layout / "blobs/sha256" / manifest["digest"].removeprefix("sha256:")).stat().st_size == manifest["size"]


def test_a_bad_tag_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    bad = TestImage(TWO.layers, ("Not A Name",))
    with pytest.raises(InvalidReference):
        read(tmp_path, docker_archive(ONE, bad))


def test_an_annotation_that_is_no_name_leaves_the_image_untagged(tmp_path: Path) -> None:
    (image,) = read(tmp_path, oci_archive(TestImage(TWO.layers, ("Not A Name",))))
    assert image.names == ()


@pytest.mark.parametrize(
    "archive",
    [
        tar_of({"unrelated": b""}),
        tar_of({"manifest.json": b"[]"}),
        tar_of({"manifest.json": b"{}"}),
        tar_of({"manifest.json": b"["}),
        tar_of({"manifest.json": b'[{"Config": 5, "Layers": []}]'}),
        tar_of({"manifest.json": b"[" * 100_000}),
        tar_of({"manifest.json": b" " * (5 * 1024 * 1024)}),
        tar_of({"index.json": b'{"manifests": []}'}),
        tar_of({"index.json": b'{"manifests": [{"digest": "sha256:../../../x"}]}'}),
        layer([Entry("manifest.json", link="/etc/passwd")]),
        layer([Entry("manifest.json", b"[]"), Entry("x/../manifest.json", b"[]")]),
        b"",
        b"rubbish" * 1000,
    ],
)
def test_what_is_no_archive_of_images_is_refused(tmp_path: Path, archive: bytes) -> None:
    with pytest.raises(Damaged) as caught:
        read(tmp_path, archive)
    begun = "unable to load image: payload does not match any of the supported image formats: "
    assert Flavour.LIBPOD.words(caught.value) == begun + Flavour.DOCKER.words(caught.value)


def test_a_blob_that_is_there_twice_or_called_so_as_to_leave_is_not_unpacked(tmp_path: Path) -> None:
    index = json.dumps({"manifests": [{"digest": "sha256:" + "a" * 64}]}).encode()
    blob = "blobs/sha256/" + "a" * 64
    with pytest.raises(Damaged, match="twice"):
        read(tmp_path, layer([Entry("index.json", index), Entry(blob, b"1"), Entry("./" + blob, b"2")]))
    (tmp_path / "inner").mkdir()
    outside = Entry("../outside/" + "a" * 64, b"1")
    read(tmp_path / "inner", layer([Entry("index.json", index), outside, Entry("blobs/sha256/../../evil", b"1")]))
    assert not list(tmp_path.rglob("evil"))
    assert not list(tmp_path.rglob("outside"))
