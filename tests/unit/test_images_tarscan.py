from __future__ import annotations

import contextlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiserver.local.images.compression import Damaged
from apiserver.local.images.tarscan import Member, check, members


def scan(path: Path) -> list[Member]:
    fd = os.open(path, os.O_RDONLY)
    try:
        return list(members(fd))
    finally:
        os.close(fd)


def written(path: Path, names: dict[str, bytes], tar_format: int) -> bytes:
    with tarfile.open(path, "w", format=tar_format) as tar:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path.read_bytes()


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_found_with_their_names_and_bytes(tmp_path: Path, tar_format: int) -> None:
    names = {"a": b"1", "b/" + "long" * 20 + "/" + "name" * 20: b"2" * 1000, "./c": b"", "d": b"x" * 512}
    whole = written(tmp_path / "t", names, tar_format)
    found = scan(tmp_path / "t")
    assert [member.name for member in found] == [name.removeprefix("./") for name in names]
    assert [whole[m.offset : m.offset + m.size] for m in found] == list(names.values())


def test_a_name_that_goes_up_and_down_again_is_read_as_skopeo_reads_it(tmp_path: Path) -> None:
    written(tmp_path / "t", {"x/../manifest.json": b"{}"}, tarfile.PAX_FORMAT)
    assert scan(tmp_path / "t")[0].name == "manifest.json"


def member(name: bytes, kind: bytes = b"0", data: bytes = b"", **fields: bytes) -> bytes:
    """A header, with `fields` put at `at_OFFSET`, and the data."""
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    header[:100], header[156:157], header[124:136] = name.ljust(100, b"\0"), kind, b"%011o\0" % len(data)
    for field, value in fields.items():
        at = int(field.removeprefix("at_"))
        header[at : at + len(value)] = value
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    return bytes(header) + data + bytes(-len(data) % 512)


def pax(*records: bytes) -> bytes:
    return member(b"p", b"x", b"".join(b"%d %s\n" % (len(each) + 4, each) for each in records))


@pytest.mark.parametrize(
    ("archive", "name"),
    [
        (pax(b"path=other.name") + member(b"n", b"L", b"long.name.") + member(b"x"), "long.name."),
        (member(b"n", b"L", b"manifest.json\0junk\0") + member(b"x"), "manifest.json"),
        (pax(b"path=other.name") + member(b"g", b"g", b"15 comment=yes\n") + member(b"x"), "x"),
        (member(b"n", b"L", b"long.name") + member(b"g", b"g", b"15 comment=yes\n") + member(b"x"), "x"),
        (pax(b"GNU.sparse.name=other") + member(b"x"), "x"),
        (pax(b"GNU.sparse.name=other", b"GNU.sparse.major=2") + member(b"x"), "x"),
        (pax(b"GNU.sparse.name=other", b"GNU.sparse.map=0,1") + member(b"x"), "other"),
        (
            pax(b"GNU.sparse.name=other", b"GNU.sparse.major=1", b"GNU.sparse.minor=0")
            + member(b"n", b"L", b"long.name")
            + member(b"x"),
            "other",
        ),
        (member(b"x", at_345=131 * b"a" + b"00000000000 ", at_508=b"tar\0"), 131 * "a" + "/x"),
        (member(b"x", at_345=131 * b"a" + b"00000000000 "), 131 * "a" + "00000000000 /x"),
    ],
)
def test_names_are_read_as_go_reads_them(tmp_path: Path, archive: bytes, name: str) -> None:
    """archive/tar of Go 1.19, by which skopeo reads what it copies: a second reading would hide another manifest."""
    (tmp_path / "t").write_bytes(archive + bytes(1024))
    (found,) = scan(tmp_path / "t")
    assert (found.name, found.regular) == (name, name != "other")


def test_a_size_in_an_extended_header_wins(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t", "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a")
        info.size, info.pax_headers = 3, {"size": "3"}
        tar.addfile(info, io.BytesIO(b"abc"))
        tar.addfile(tarfile.TarInfo("b"))
    assert [(m.name, m.size) for m in scan(tmp_path / "t")] == [("a", 3), ("b", 0)]


def test_an_empty_file_is_a_layer_but_no_tar_as_an_empty_tar_is(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"")
    with pytest.raises(Damaged, match="empty"):
        scan(tmp_path / "t")
    check(tmp_path / "t")
    (tmp_path / "t").write_bytes(bytes(1024))
    check(tmp_path / "t")


def test_garbage_and_a_cut_archive_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"garbage" * 500)
    with pytest.raises(Damaged, match="invalid tar header"):
        check(tmp_path / "t")
    whole = written(tmp_path / "t", {"a": b"1" * 5000}, tarfile.PAX_FORMAT)
    (tmp_path / "t").write_bytes(whole[:3000])
    with pytest.raises(Damaged, match="unexpected EOF"):
        check(tmp_path / "t")


def test_an_extended_header_of_great_length_is_refused_unread(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    with (tmp_path / "t").open("wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(512 + (1 << 30))
    with pytest.raises(Damaged, match="too long"):
        check(tmp_path / "t")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_is_read_or_refused_but_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(written(tmp_path / "t", {"a": b"1" * 600, "n" * 120: b"2"}, tarfile.PAX_FORMAT)[:5120])
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8)):
        whole[position] = data.draw(st.integers(0, 255))
    (tmp_path / "t").write_bytes(whole)
    with contextlib.suppress(Damaged):
        check(tmp_path / "t")
