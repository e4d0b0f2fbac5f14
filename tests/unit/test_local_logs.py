"""Reading conmon's k8s-file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiserver.engine.ports.streams import Stream
from apiserver.local.logs import k8s_file
from apiserver.local.logs.k8s_file import parse, read_block, records, tail_offset

STAMP = b"2026-11-23T16:35:59.663569439+00:00"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "ctr.log"


def line(text: bytes, tag: bytes = b"F") -> bytes:
    return STAMP + b" stdout " + tag + b" " + text + b"\n"


def test_a_line_has_its_time_to_the_nanosecond() -> None:
    record = parse(STAMP + b" stderr P some text  \r")
    assert record is not None
    assert (record.time, record.nanosecond) == (datetime(2026, 11, 23, 16, 35, 59, 663569, UTC), 663569439)
    assert (record.stream, record.data, record.partial) == (Stream.STDERR, b"some text  \r", True)


@pytest.mark.parametrize("junk", [b"", b"x", STAMP + b" stdin F x", STAMP + b" stdout X x", b"when stdout F x"])
def test_what_conmon_did_not_write_is_no_record(junk: bytes) -> None:
    assert parse(junk) is None


@given(
    st.lists(
        st.sampled_from(
            [
                *(line(b"a\rb"), line(b"c", b"P"), STAMP + b" stderr F d\n", STAMP[:-7] + b"8+00:00 stdout F e\n"),
                *(STAMP + b" stdin F x\n", STAMP + b" stdout X x\n", STAMP + b" stdout F\n", b"junk\n", b"\n"),
            ]
        )
    )
)
def test_lines_together_are_the_records_that_each_of_them_is(lines: list[bytes]) -> None:
    each = [parse(one[:-1]) for one in lines]
    assert records(b"".join(lines)) == [record for record in each if record is not None]


def test_a_line_that_is_still_being_written_waits(log: Path) -> None:
    log.write_bytes(line(b"one") + line(b"two")[:-5])
    descriptor = os.open(log, os.O_RDONLY)
    found, offset = read_block(descriptor, 0)
    os.close(descriptor)
    assert ([record.data for record in found], offset) == ([b"one"], len(line(b"one")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), st.sampled_from([b"F", b"F", b"P"]))
    ),
    st.integers(0, 12),
    st.integers(1, 90),
)
def test_the_tail_is_the_last_lines_with_their_parts_whatever_the_block(
    tmp_path: Path, parts: list[tuple[bytes, bytes]], wanted: int, block: int
) -> None:
    log = tmp_path / "ctr.log"
    log.write_bytes(b"".join(line(text, tag) for text, tag in parts))
    lines: list[list[bytes]] = [[]]
    for text, tag in parts:
        lines[-1].append(text)
        if tag == b"F":
            lines.append([])
    lines = [whole for whole in lines if whole]
    descriptor = os.open(log, os.O_RDONLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(k8s_file, "_TAIL_BLOCK", block)
        offset = tail_offset(descriptor, wanted, os.fstat(descriptor).st_size)
    found, _ = read_block(descriptor, offset)
    os.close(descriptor)
    expected = [text for whole in (lines[-wanted:] if wanted else []) for text in whole]
    assert [record.data for record in found] == expected
