"""Which image of a list is taken, and what is compared with what was announced."""

from __future__ import annotations

import hashlib

import pytest

from apiserver.engine.ports.registry import Platform, RemoteBlob, RemoteImage
from apiserver.errors import RegistryFailed
from apiserver.local.registries.announced import check_sizes
from apiserver.local.registries.platforms import wanted
from apiserver.local.registries.remote_manifest import (
    BadManifest,
    Descriptor,
    Manifest,
    NoFittingImage,
    check_against,
    digest_of,
    fitting,
    read_manifest,
    remote_image,
)

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PC, PI, ANY = Platform("linux", "amd64"), Platform("linux", "arm", "v7"), Platform()


def chosen(has: str, asked: Platform = ANY, host: Platform = PC) -> str:
    """Of a list of `architecture[/variant]`: which one is taken; empty for none."""
    entries = []
    for each in has.split():
        architecture, _, variant = each.partition("/")
        platform = {"os": "linux", "architecture": architecture} | ({"variant": variant} if variant else {})
        entries.append(Descriptor(each, platform=platform))
    try:
        return fitting(Manifest(2, manifests=entries), wanted(asked, host))[0].digest
    except NoFittingImage:
        return ""


@pytest.mark.parametrize(
    ("has", "asked", "host", "taken"),
    [
        ("arm64 amd64", Platform(), PC, "amd64"),
        ("amd64/v3 amd64", Platform(), PC, "amd64"),
        ("amd64/v3 amd64/v1", Platform(), PC, "amd64/v1"),
        ("amd64/v3", Platform(), PC, ""),
        ("amd64 amd64/v2 amd64/v3", Platform(variant="v3"), PC, "amd64/v3"),
        ("amd64 amd64/v2", Platform(variant="v3"), PC, "amd64/v2"),
        ("arm/v5 arm/v6 arm/v7", Platform(), PI, "arm/v7"),
        ("arm/v5 arm/v6", Platform(), PI, "arm/v6"),
        ("arm/v6 arm/v5 arm/v7", Platform("linux", "arm"), PC, "arm/v7"),
        ("arm/v7 arm/v6", Platform("linux", "arm", "v6"), PI, "arm/v6"),
        ("arm/v8", Platform(), PI, ""),
        ("arm", Platform(), PI, "arm"),
        ("arm64/v8", Platform("linux", "arm64"), PC, "arm64/v8"),
        ("amd64", Platform("windows", "amd64"), PC, ""),
    ],
)
def test_the_best_variant_that_runs_is_taken(has: str, asked: Platform, host: Platform, taken: str) -> None:
    assert chosen(has, asked, host) == taken


def test_a_digest_is_compared_by_its_own_algorithm() -> None:
    assert digest_of(b"x") == "sha256:" + hashlib.sha256(b"x").hexdigest()
    assert digest_of(b"x", "sha512:" + "0" * 128) == "sha512:" + hashlib.sha512(b"x").hexdigest()
    for bad in ("md5:" + "0" * 32, "sha512:" + "0" * 64):
        with pytest.raises(BadManifest):
            digest_of(b"x", bad)


def test_an_image_of_a_list_is_what_the_list_announces() -> None:
    check_against(Descriptor(digest_of(b"xy"), size=2), b"xy")
    for lie in (Descriptor(digest_of(b"xy"), size=3), Descriptor(digest_of(b"yx"), size=2)):
        with pytest.raises(BadManifest):
            check_against(lie, b"xy")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('"Layers": []', "'Layers' could be taken for 'layers'"),
        ('"layer\u017f": []', "could be taken for 'layers'"),
        ('"layers": []', "a key is there twice"),
        ('"subject": {"size": 1, "size": 2}', "a key is there twice"),
    ],
)
def test_what_go_would_read_otherwise_is_refused(extra: str, said: str) -> None:
    with pytest.raises(BadManifest, match=said):
        read_manifest(f'{{"schemaVersion": 2, "config": {{"digest": "{A}"}}, "layers": [], {extra}}}'.encode())


@pytest.mark.parametrize("key", ["Digest", "URLs", "Size", "MEDIATYPE"])
def test_and_so_it_is_in_what_is_described(key: str) -> None:
    config, layer = f'{{"digest": "{A}"}}', f'{{"digest": "{B}", "{key}": null}}'
    for each in (
        f'"config": {layer}, "layers": []',
        f'"config": {config}, "layers": [{layer}]',
        f'"manifests": [{layer}]',
    ):
        with pytest.raises(BadManifest, match=f"'{key}' could be taken for"):
            read_manifest(f'{{"schemaVersion": 2, {each}}}'.encode())
    platform = f'{{"digest": "{A}", "platform": {{"os": "linux", "Architecture": "arm"}}}}'
    with pytest.raises(BadManifest, match="'Architecture' could be taken for"):
        read_manifest(f'{{"schemaVersion": 2, "manifests": [{platform}]}}'.encode())


def test_annotations_may_have_any_keys() -> None:
    annotated = f'{{"digest": "{A}", "annotations": {{"Size": "1", "size": "2"}}}}'
    manifest = read_manifest(f'{{"schemaVersion": 2, "config": {annotated}, "layers": [{annotated}]}}'.encode())
    assert [each.digest for each in manifest.layers or ()] == [A]


def test_a_list_in_a_list_is_refused() -> None:
    with pytest.raises(BadManifest):
        remote_image(A, B, Manifest(2, manifests=[]), PC)


def test_sizes_that_are_known_have_to_be_those_announced() -> None:
    image = RemoteImage(A, A, (RemoteBlob(A, 5),), RemoteBlob(B, 6))
    check_sizes(image, {A: 5, B: 0})
    check_sizes(image, {})
    for sizes in ({A: 4, B: 6}, {A: 5, B: 7}):
        with pytest.raises(RegistryFailed):
            check_sizes(image, sizes)
