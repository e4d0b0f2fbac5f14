"""By which digests registries know an image is kept beside the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from apiserver.local.images.pulled import PulledFile, still_named
from tests.fakes.images import image

A, B = "r.example/a@sha256:1", "r.example/b@sha256:1"


def test_digests_are_kept_once_and_those_of_images_that_went_are_forgotten(tmp_path: Path) -> None:
    file = PulledFile(tmp_path / "pulled.json")
    assert (file.read(), file.identity()) == ({}, None)
    file.add("1", A, ["1"])
    before = file.identity()
    file.add("1", A, ["1"])
    assert (file.read(), file.identity()) == ({"1": [A]}, before)
    file.add("1", B, ["1", "2"])
    file.add("2", B, ["2"])
    assert file.read() == {"2": [B]}
    assert [path.name for path in tmp_path.iterdir()] == ["pulled.json"]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"1": 2}', b"\xff"])
def test_a_file_that_cannot_be_read_is_as_none_and_written_anew(tmp_path: Path, content: bytes) -> None:
    file = PulledFile(tmp_path / "pulled.json")
    (tmp_path / "pulled.json").write_bytes(content)
    assert file.read() == {}
    file.add("1", A, ["1"])
    assert file.read() == {"1": [A]}


def test_a_digest_counts_while_the_image_has_a_tag_of_its_repository() -> None:
    assert still_named(image("x", "r.example/a:1", "r.example:5/b:1"), (A, B)) == (A,)
