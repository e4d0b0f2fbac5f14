from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.engine.ports.logs import LogRecord
from apiserver.engine.ports.streams import Stream
from apiserver.errors import InvalidParameter
from apiserver.wire.detach_keys import DEFAULT, DetachScanner, read_keys
from apiserver.wire.frames import frame
from apiserver.wire.log_lines import LogLines
from apiserver.wire.progress import error_line

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(data: bytes, *, stream: Stream = Stream.STDOUT, partial: bool = False) -> LogRecord:
    return LogRecord(AT, 7, stream, data, partial)


def test_a_frame_is_the_stream_three_zeros_and_a_big_endian_length() -> None:
    assert frame(Stream.STDERR, b"hi\n") == b"\x02\0\0\0\0\0\0\x03hi\n"


def test_lines_of_a_container_without_terminal_are_framed() -> None:
    lines = LogLines(terminal=False, timestamps=False)
    assert lines.encode(record(b"\xff\0", stream=Stream.STDERR)) == b"\x02\0\0\0\0\0\0\x03\xff\0\n"


def test_a_terminals_lines_are_raw_and_get_their_carriage_return_back() -> None:
    lines = LogLines(terminal=True, timestamps=False)
    assert (lines.encode(record(b"hi")), lines.encode(record(b"hi\r"))) == (b"hi\r\n", b"hi\r\n")


def test_a_line_in_parts_has_one_time_in_front() -> None:
    lines = LogLines(terminal=True, timestamps=True)
    parts = [record(b"a", partial=True), record(b"b"), record(b"c")]
    time = b"2026-01-02T03:04:05.000000007Z "
    assert b"".join(lines.encode(part) for part in parts) == time + b"ab\r\n" + time + b"c\r\n"


@given(
    st.lists(st.tuples(st.binary(max_size=9), st.sampled_from([Stream.STDOUT, Stream.STDERR]), st.booleans())),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_many_records_are_what_each_of_them_is(
    said: list[tuple[bytes, Stream, bool]], terminal: bool, timestamps: bool, details: bool
) -> None:
    records = [record(data, stream=stream, partial=partial) for data, stream, partial in said]
    attributes = {"a": "b"} if details else None
    one, all_at_once = (LogLines(terminal=terminal, timestamps=timestamps, details=attributes) for _ in range(2))
    assert all_at_once.encode_all(records) == b"".join(one.encode(each) for each in records)


def test_details_are_a_space_where_none_were_asked_for() -> None:
    assert LogLines(terminal=True, timestamps=False, details={}).encode(record(b"x")) == b" x\r\n"


def test_details_are_attributes_by_name_in_which_nothing_ends_them() -> None:
    details = {"b": "x=y,z\n", "a b": "1&2"}
    assert LogLines(terminal=True, timestamps=False, details=details).encode(record(b"x")) == (
        b"a+b=1%262,b=x%3Dy%2Cz%0A x\r\n"
    )


def test_detach_keys_are_letters_and_control_keys() -> None:
    assert (read_keys(""), read_keys("ctrl-a,d"), read_keys("ctrl-@,ctrl-_")) == (DEFAULT, b"\x01d", b"\x00\x1f")


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "ab", ",", "ctrl-ab", "é"])
def test_other_detach_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="detachKeys"):
        read_keys(text)


def test_the_beginning_of_detach_keys_is_held_back_until_it_is_none() -> None:
    scanner = DetachScanner(DEFAULT)
    assert scanner.scan(b"a\x10") == (b"a", False)
    assert scanner.scan(b"b\x10") == (b"\x10b", False)
    assert scanner.scan(b"\x11rest") == (b"", True)


def test_a_repeated_first_key_still_detaches() -> None:
    assert DetachScanner(DEFAULT).scan(b"\x10\x10\x11") == (b"\x10", True)


@given(st.lists(st.binary(max_size=5)).map(lambda parts: [p.replace(b"\x11", b"") for p in parts]))
def test_without_the_whole_sequence_nothing_typed_is_lost(parts: list[bytes]) -> None:
    scanner = DetachScanner(DEFAULT)
    passed = b"".join(scanner.scan(part)[0] for part in [*parts, b"."])
    assert passed == b"".join(parts) + b"."


def test_a_failure_in_the_stream_is_told_to_new_and_old_clients() -> None:
    assert error_line("no") == {"errorDetail": {"message": "no"}, "error": "no"}
