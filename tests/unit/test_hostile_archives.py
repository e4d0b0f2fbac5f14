"""No archive, whatever it holds, is anything but read or refused; and what is unpacked of it stays where it belongs."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiserver.engine.names import canonical_name
from apiserver.engine.ports.registry import Platform
from apiserver.errors import InvalidParameter
from apiserver.local.images.archive import archived_images
from apiserver.local.images.compression import Damaged, Decompressor
from apiserver.local.images.tarscan import check
from apiserver.local.registries.remote_manifest import NoFittingImage, fitting, read_manifest, remote_image
from tests.support.hostile_archives import MANIFESTS, archives, layers

FUZZ = settings(derandomize=True, max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(archive=archives())
def test_an_archive_is_read_or_refused_and_unpacked_into_its_own_place(archive: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        place = top / "upload"
        place.mkdir()
        plain = place / "archive.tar"
        plain.touch()
        with suppress(InvalidParameter):
            decompressor = Decompressor()
            plain.write_bytes(b"".join([*decompressor.feed(archive), *decompressor.finish()]))
            for image in archived_images(plain, place, canonical_name):
                assert image.source.startswith((f"docker-archive:{plain}:@", f"oci:{place}/layout"))
        assert list(top.iterdir()) == [place]
        files = [Path(at, file) for at, _, found in os.walk(place) for file in found]
        assert sum(file.stat().st_size for file in files) <= 2 * plain.stat().st_size + 4096 * len(files)
        assert not [file for file in files if file.is_symlink()]
        assert {link.readlink() for link in place.glob("layout*/blobs")} <= {Path("../blobs")}


@FUZZ
@given(data=MANIFESTS)
def test_a_manifest_of_a_registry_is_read_or_refused(data: bytes) -> None:
    platform = Platform("linux", "amd64")
    with suppress(InvalidParameter):
        manifest = read_manifest(data)
        with suppress(NoFittingImage):
            fitting(manifest, [platform])
        remote_image("sha256:" + "0" * 64, "sha256:" + "0" * 64, manifest, platform)


@FUZZ
@given(data=layers(), change=st.tuples(st.integers(0, 10_000), st.binary(max_size=4)))
def test_a_layer_is_read_or_refused(data: bytes, change: tuple[int, bytes]) -> None:
    place, piece = change[0] % len(data), change[1]
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "layer.tar")
        file.write_bytes(data[:place] + piece + data[place + len(piece) :])
        with suppress(Damaged):
            check(file)


@FUZZ
@given(archive=archives(), sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_a_stream_decompresses_alike_in_whatever_pieces_it_comes(archive: bytes, sizes: list[int]) -> None:
    def unpacked(pieces: list[bytes]) -> bytes | None:
        decompressor = Decompressor()
        try:
            found = [out for piece in pieces for out in decompressor.feed(piece)]
            return b"".join([*found, *decompressor.finish()])
        except Damaged:
            return None

    pieces: list[bytes] = []
    rest = archive
    while rest:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(rest[:size])
        rest = rest[size:]
    assert unpacked(pieces) == unpacked([archive])
