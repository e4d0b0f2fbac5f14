from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from apiserver.errors import HostError
from apiserver.local.images.tar_directory import PIECE, send_directory
from tests.support.results import at_once, result_of


def test_a_directory_comes_in_small_pieces_as_roots(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir(mode=0o755)
    data = os.urandom(2 * PIECE + 700)
    (tmp_path / "blobs" / ("l" * 120)).write_bytes(data)
    (tmp_path / "empty").write_bytes(b"")
    os.chown(tmp_path / "empty", 7, 7) if os.getuid() == 0 else None
    pieces: list[bytes] = []

    async def sink(piece: bytes) -> None:
        pieces.append(piece)

    result_of(send_directory(tmp_path, sink, at_once))
    assert max(map(len, pieces)) == PIECE
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert [(one.name, one.isdir(), one.size) for one in tar] == [
            ("blobs", True, 0),
            ("blobs/" + "l" * 120, False, len(data)),
            ("empty", False, 0),
        ]
        assert {(one.uid, one.gid) for one in tar} == {(0, 0)}
        content = tar.extractfile("blobs/" + "l" * 120)
        assert content is not None
        assert content.read() == data


def test_a_file_that_gets_shorter_meanwhile_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(1000))

    async def sink(piece: bytes) -> None:
        (tmp_path / "x").write_bytes(b"")

    with pytest.raises(HostError, match="was cut"):
        result_of(send_directory(tmp_path, sink, at_once))
