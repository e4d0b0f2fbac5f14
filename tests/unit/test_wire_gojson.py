from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.errors import InvalidParameter
from apiserver.wire.gojson import (
    EPOCH,
    fixed_time,
    go_time,
    human_duration,
    human_size,
    parse_duration,
    parse_moment,
    unix_nanoseconds,
    unix_seconds,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def test_a_time_has_only_the_digits_it_needs_and_none_is_the_year_one() -> None:
    assert go_time(datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)) == "2026-01-02T03:04:05.6789Z"
    assert go_time(datetime(2026, 1, 2, 3, 4, 5, 0, UTC)) == "2026-01-02T03:04:05Z"
    assert go_time(datetime(2026, 1, 2, 3, 4, 5, 0, timezone(timedelta(hours=2)))) == "2026-01-02T01:04:05Z"
    assert go_time(None) == "0001-01-01T00:00:00Z"


def test_a_log_line_has_nine_digits() -> None:
    assert fixed_time(NOW, 5) == "2026-11-24T12:00:00.000000005Z"


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)))
def test_no_digit_of_a_time_is_lost(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert unix_nanoseconds(aware) // 1000 == (aware - EPOCH) // timedelta(microseconds=1)
    assert unix_seconds(aware) == int((aware - EPOCH).total_seconds() // 1)
    assert parse_moment("since", go_time(aware), NOW) == aware


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (59 * 60, "59 minutes"),
        (3600, "About an hour"),
        (2.5 * 3600, "3 hours"),
        (47 * 3600, "47 hours"),
        (3 * 86400, "3 days"),
        (21 * 86400, "3 weeks"),
        (90 * 86400, "3 months"),
        (3 * 365 * 86400, "3 years"),
        (-5, "Less than a second"),
    ],
)
def test_a_span_is_said_as_docker_says_it(seconds: float, words: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0B"), (999, "999B"), (10_000, "10kB"), (1_000_000, "1MB"), (1 << 20, "1.049MB"), (10**22, "1e+04EB")],
)
def test_a_size_has_four_digits(size: int, words: str) -> None:
    assert human_size(size) == words


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        ("0", EPOCH),
        ("1795518315.5", EPOCH + timedelta(seconds=1795518315, milliseconds=500)),
        ("1795518315.000000001", EPOCH + timedelta(seconds=1795518315)),
        ("10m", NOW - timedelta(minutes=10)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("1.5s", NOW - timedelta(seconds=1.5)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T10:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T10:00:00.123456789+02:00", datetime(2026, 11, 24, 8, 0, 0, 123456, UTC)),
    ],
)
def test_a_moment_is_unix_seconds_or_rfc_3339_or_a_duration_before_now(text: str, moment: datetime | None) -> None:
    assert parse_moment("since", text, NOW) == moment


@pytest.mark.parametrize("text", ["x", "10", "1h x", "--1s", "", "1", "9" * 400 + "h", "s"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["x", "2026-13-01", "9" * 30, "99999999999999999999h", "1e5"])
def test_what_is_no_moment_is_refused_with_the_name_of_the_field(text: str) -> None:
    with pytest.raises(InvalidParameter, match="since"):
        parse_moment("since", text, NOW)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_a_clear_error(text: str) -> None:
    with suppress(InvalidParameter):
        moment = parse_moment("until", text, NOW)
        assert moment is None or moment.tzinfo is not None
