from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from apiserver.local.images.compression import STEP, Damaged, Decompressor

try:
    from compression import zstd  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    from backports import zstd

DATA = bytes(range(256)) * 1000
FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
COMPRESSED = {name: compress for name, compress in FORMATS.items() if name != "plain"}


def decompress(data: bytes, piece: int) -> bytes:
    decompressor = Decompressor()
    out = [part for at in range(0, len(data), piece) for part in decompressor.feed(data[at : at + piece])]
    return b"".join([*out, *decompressor.finish()])


@pytest.mark.parametrize("piece", [1, 5, 4096, 1 << 20])
@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_recognised_however_the_stream_is_cut(name: str, piece: int) -> None:
    data = DATA if piece > 1 else DATA[:2000]
    assert decompress(FORMATS[name](data), piece) == data


def test_what_is_shorter_than_a_magic_passes_as_it_is() -> None:
    assert decompress(b"", 1) == b""
    assert decompress(b"\x1f", 1) == b"\x1f"


@pytest.mark.parametrize("name", COMPRESSED)
def test_several_streams_in_a_row_are_one_and_zeros_behind_them_are_padding(name: str) -> None:
    compress = COMPRESSED[name]
    assert decompress(compress(b"one") + compress(b"two") + bytes(512), 7) == b"onetwo"


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_stream_that_ends_early_is_damaged(name: str) -> None:
    with pytest.raises(Damaged, match=f"invalid {name} data: unexpected EOF"):
        decompress(COMPRESSED[name](DATA)[:-4], 4096)


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_stream_with_wrong_bytes_is_damaged(name: str) -> None:
    good = COMPRESSED[name](DATA)
    with pytest.raises(Damaged, match=f"invalid {name} data"):
        decompress(good[:20] + bytes(len(good)) + good[20:], 4096)


def test_rubbish_behind_a_stream_is_damage() -> None:
    with pytest.raises(Damaged):
        decompress(gzip.compress(b"one") + b"rubbish", 4096)


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_bomb_comes_out_in_small_steps(name: str) -> None:
    zeros = bytes(64 * 1024 * 1024)
    bomb = zlib.compress(zeros, 9, wbits=31) if name == "gzip" else COMPRESSED[name](zeros)
    tracemalloc.start()
    try:
        decompressor, total = Decompressor(), 0
        for piece in decompressor.feed(bomb):
            assert len(piece) <= STEP
            total += len(piece)
        total += sum(len(piece) for piece in decompressor.finish())
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert total == len(zeros)
