from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.local.images.archive_merge import ArchiveMerge, ArchiveUnusable

Members = Sequence[tuple[str, bytes]]


def tar(members: Members, tar_format: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as written:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            written.addfile(info, io.BytesIO(data))
    return out.getvalue()


def one(config: str, *layers: str) -> bytes:
    """As skopeo writes it: a layer's content is its name."""
    manifest = json.dumps([{"Config": f"{config}.json", "RepoTags": [], "Layers": [f"{each}.tar" for each in layers]}])
    return tar(
        [
            *((f"{each}.tar", each.encode()) for each in layers),
            (f"{config}.json", config.encode()),
            *((f"{each}/VERSION", b"1.0") for each in layers),
            ("manifest.json", manifest.encode()),
            ("repositories", b"{}"),
        ]
    )


def merged(*archives: tuple[bytes, Sequence[str]], step: int = 1 << 20) -> bytes:
    merge, out = ArchiveMerge(), b""
    for archive, names in archives:
        for at in range(0, len(archive), step):
            out += b"".join(merge.feed(archive[at : at + step]))
        merge.image(names)
    return out + merge.end()


def read(archive: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            assert member.name not in found
            content = opened.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
    return found


@given(step=st.integers(1, 3000))
def test_what_images_share_is_there_once_however_the_bytes_come(step: int) -> None:
    whole = merged((one("x", "base", "a"), ["a:1", "a:2"]), (one("y", "base", "b"), []), step=step)
    files = read(whole)
    assert json.loads(files.pop("manifest.json")) == [
        {"Config": "x.json", "Layers": ["base.tar", "a.tar"], "RepoTags": ["a:1", "a:2"]},
        {"Config": "y.json", "Layers": ["base.tar", "b.tar"], "RepoTags": []},
    ]
    assert {name: data.decode() for name, data in files.items()} == {
        "base.tar": "base",
        "a.tar": "a",
        "x.json": "x",
        "b.tar": "b",
        "y.json": "y",
    }


def large(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    header = info.tobuf(tarfile.PAX_FORMAT)
    assert len(header) == 3 * 512  # the size does not fit into the member's own header
    return header


def test_a_size_in_an_extended_header_is_the_members() -> None:
    data, manifest = b"\0" * 1000, json.dumps([{"Config": "x.json", "Layers": ["big.tar"]}]).encode()
    info = tarfile.TarInfo("big.tar")
    info.pax_headers = {"size": str(len(data))}
    layer = info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512)
    whole = merged((layer + tar([("x.json", b"{}"), ("manifest.json", manifest)]), ["big:1"]), step=700)
    assert read(whole)["big.tar"] == data


def test_the_data_of_a_layer_of_more_than_8_gib_is_not_taken_for_headers() -> None:
    header = large("big.tar", 8 * 1024**3 + 1000)
    merge = ArchiveMerge()
    assert b"".join(merge.feed(header)) == header
    assert b"".join(merge.feed(bytes(2048))) == bytes(2048)
    with pytest.raises(ArchiveUnusable):
        merge.image([])


def test_a_large_layer_that_was_sent_is_left_out_with_its_extended_header() -> None:
    merge = ArchiveMerge()
    assert b"".join(merge.feed(tar([("big.tar", b"")])[:512]))
    assert b"".join(merge.feed(large("big.tar", 9 * 1024**3) + b"data")) == b""


def test_long_names_are_understood() -> None:
    name = "l" * 200 + ".tar"
    for tar_format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        manifest = json.dumps([{"Config": name, "Layers": []}]).encode()
        archive = tar([(name, b"1"), ("d/" + name, b"2"), ("manifest.json", manifest)], tar_format)
        assert set(read(merged((archive, [])))) == {name, "manifest.json"}


MANIFEST = b'[{"Config":"x.json","Layers":[]}]'


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"no tar" * 200,
        one("x", "a")[:2000],
        tar([("x.json", b"{}")]),
        tar([("x.json", b"{}"), ("manifest.json", b"[")]),
        tar([("x.json", b"{}"), ("manifest.json", b"[]")]),
        tar([("manifest.json", MANIFEST)]),
        tar([("x.json", b"{}"), ("manifest.json", MANIFEST), ("manifest.json", MANIFEST)]),
        tar([("x.json", b"{}"), ("manifest.json", MANIFEST + b" " * (5 << 20))]),
    ],
    ids=["empty", "no tar", "cut", "no manifest", "broken", "of none", "lies", "two manifests", "long manifest"],
)
def test_what_is_no_whole_archive_of_one_image_is_an_error_of_the_host(archive: bytes) -> None:
    with pytest.raises(ArchiveUnusable, match="saving failed"):
        merged((archive, []))
