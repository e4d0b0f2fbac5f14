"""Layers that a push does not send, from what skopeo says it leaves out and what it asks for."""

from __future__ import annotations

import json

from apiserver.local.registries.reused_layers import ReusedLayers

DIFFS = tuple("sha256:" + each * 64 for each in "abc")
BLOBS = tuple("sha256:" + each * 64 for each in "def")
CONFIG = {"digest": "sha256:" + "0" * 64, "size": 2}
MANIFEST = json.dumps(
    {"schemaVersion": 2, "config": CONFIG, "layers": [{"digest": each, "size": 1} for each in BLOBS]}
).encode()


def mount(digest: str, repository: str) -> str:
    return f"https://r.example/v2/here/blobs/uploads/?from={repository}&mount={digest.replace(':', '%3A')}"


def reused() -> ReusedLayers:
    """Of which the first layer was there, the second was mounted and the third had to be sent after a mount failed."""
    layers = ReusedLayers(lambda _: None)
    layers.skipped(DIFFS[0])
    layers.asked("HEAD", f"https://r.example/v2/here/blobs/{DIFFS[0]}")
    layers.asked("POST", mount(BLOBS[1], "old%2Fone"))
    layers.asked("POST", mount(BLOBS[1], "base%2Fbox"))
    layers.skipped(DIFFS[1])
    layers.asked("POST", mount(BLOBS[2], "base"))
    layers.asked("POST", "https://r.example/v2/here/blobs/uploads/")
    return layers


def test_each_layer_that_is_left_out_is_told_at_once() -> None:
    told: list[str] = []
    ReusedLayers(told.append).skipped(DIFFS[0])
    assert told == [DIFFS[0]]


def test_a_layer_is_mounted_where_a_mount_was_asked_for_and_it_was_left_out() -> None:
    assert reused().mounted(DIFFS, MANIFEST) == {DIFFS[1]: "base/box"}


def test_by_a_manifest_of_other_layers_or_of_the_old_version_no_mount_is_known() -> None:
    assert reused().mounted(DIFFS[:2], MANIFEST) == {}
    assert reused().mounted(DIFFS, b'{"schemaVersion": 1, "fsLayers": []}') == {}


def test_without_a_mount_the_manifest_is_not_read() -> None:
    assert ReusedLayers(lambda _: None).mounted(DIFFS, b"no manifest") == {}
