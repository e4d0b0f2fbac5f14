from __future__ import annotations

import pytest
from msgspec import Struct, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.errors import InvalidParameter
from apiserver.http.body import decode_json
from apiserver.http.body_stream import BodyStream
from apiserver.http.errors import ClientGone, RequestTimeout
from apiserver.http.pieces import HIGH_BYTES, LOW_BYTES
from tests.support.results import result_of


class Host(Struct):
    Memory: int = 0
    Binds: list[str] | None = None


class Body(Struct):
    Image: str = "none"
    HostConfig: Host = field(default_factory=Host)


@pytest.mark.parametrize("raw", [b"", b"  \r\n", b"{}", b'{"Unknown":1}'])
def test_an_empty_body_is_the_defaults_and_unknown_keys_are_ignored(raw: bytes) -> None:
    assert decode_json(raw, Body) == Body()


@pytest.mark.parametrize("rest", [b"x", b"{}", b' {"Image":"b"} rubbish', b"}" * 10_000])
def test_only_the_first_json_value_counts(rest: bytes) -> None:
    assert decode_json(b'{"Image":"a"}' + rest, Body).Image == "a"


def test_the_case_of_known_keys_does_not_count_as_in_go() -> None:
    assert decode_json(b'{"image":"a","HOSTCONFIG":{"memory":null,"binds":["x"]}}', Body) == Body(
        "a", Host(Binds=["x"])
    )


def test_a_wrong_type_under_a_key_of_another_case_is_named_as_the_field_is() -> None:
    with pytest.raises(InvalidParameter, match=r"HostConfig\.Memory: Expected `int`, got `str`"):
        decode_json(b'{"hostconfig":{"memory":"1"}}', Body)


def test_a_wrong_type_names_the_field_by_its_path() -> None:
    with pytest.raises(InvalidParameter, match=r"HostConfig\.Memory: Expected `int`, got `str`"):
        decode_json(b'{"HostConfig":{"Memory":"1"}}', Body)


def test_null_leaves_a_field_at_its_default_wherever_it_is() -> None:
    assert decode_json(b'{"Image":null,"HostConfig":{"Memory":null,"Binds":null}}', Body) == Body()


def test_a_wrong_type_beside_a_null_is_still_named() -> None:
    with pytest.raises(InvalidParameter, match=r"HostConfig\.Memory"):
        decode_json(b'{"Image":null,"HostConfig":{"Memory":[]}}', Body)


@pytest.mark.parametrize("raw", [b"{", b"x", b'{"Image":"a"', b'{"Image":"\xff"}', b"[" * 100_000])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidParameter, match="request body"):
        decode_json(raw, Body)


def test_deep_nesting_in_a_body_with_a_null_does_not_exhaust_the_stack() -> None:
    with pytest.raises(InvalidParameter):
        decode_json(b'{"Image":null,"X":' + b"[" * 50_000 + b"]" * 50_000 + b"}", Body)


class Connection:
    """Counts what a stream asks of its connection."""

    def __init__(self) -> None:
        self.held = 0
        self.continued = 0

    def hold(self) -> None:
        self.held += 1

    def release(self) -> None:
        self.held -= 1

    def send_continue(self) -> None:
        self.continued += 1

    def body(self) -> BodyStream:
        return BodyStream(self.hold, self.release, self.send_continue)


def test_a_body_is_read_piece_by_piece_and_ends_with_nothing_again_and_again() -> None:
    body = BodyStream()
    body.received(b"a")
    body.received(b"b")
    body.end()
    assert [result_of(body.read()) for _ in range(4)] == [b"a", b"b", b"", b""]


def test_a_reader_waits_for_the_next_piece() -> None:
    body = BodyStream()
    reading = Deferred.fromCoroutine(body.read())
    assert not reading.called
    body.received(b"late")
    assert result_of(reading) == b"late"


def test_the_connection_is_held_between_the_high_and_the_low_mark() -> None:
    connection = Connection()
    body = connection.body()
    piece = b"x" * 65536
    for _ in range(HIGH_BYTES // len(piece)):
        body.received(piece)
    assert connection.held == 0
    body.received(b"y")
    assert connection.held == 1
    while connection.held:
        result_of(body.read())
    assert body.waiting_bytes <= LOW_BYTES


def test_a_client_that_waits_for_100_is_told_at_the_first_read_once() -> None:
    connection = Connection()
    body = connection.body()
    assert connection.continued == 0
    reading = Deferred.fromCoroutine(body.read())
    body.received(b"x")
    result_of(reading)
    body.received(b"y")
    result_of(body.read())
    assert connection.continued == 1


def test_a_client_that_leaves_is_an_error_for_the_reader_after_what_came() -> None:
    body = BodyStream()
    body.received(b"half")
    body.lose()
    assert result_of(body.read()) == b"half"
    with pytest.raises(ClientGone):
        result_of(body.read())


def test_a_client_that_leaves_wakes_a_reader_that_waits() -> None:
    body = BodyStream()
    reading = Deferred.fromCoroutine(body.read())
    body.lose()
    with pytest.raises(ClientGone):
        result_of(reading)


def test_a_client_that_leaves_after_the_end_took_nothing_away() -> None:
    body = BodyStream()
    body.received(b"all")
    body.end()
    body.lose()
    assert [result_of(body.read()), result_of(body.read())] == [b"all", b""]


def test_a_reader_that_is_cancelled_loses_no_piece() -> None:
    body = BodyStream()
    reading = Deferred.fromCoroutine(body.read())
    reading.cancel()
    reading.addErrback(lambda _: None)
    body.received(b"kept")
    assert result_of(body.read()) == b"kept"


def test_what_comes_after_the_answer_is_dropped_and_not_held_back() -> None:
    connection = Connection()
    body = connection.body()
    body.received(b"x" * (HIGH_BYTES + 1))
    body.drop()
    body.received(b"x" * (HIGH_BYTES + 1))
    assert (connection.held, body.waiting_bytes) == (0, 0)


def limited(clock: Clock, silence: float = 60, total: float = 100) -> BodyStream:
    body = BodyStream(clock=clock)
    body.limit(silence, total)
    return body


def test_a_body_with_a_limit_is_given_up_when_nothing_comes_for_so_long() -> None:
    clock = Clock()
    body = limited(clock)
    for _ in range(2):
        reading = Deferred.fromCoroutine(body.read())
        clock.advance(40)
        body.received(b"x")
        assert result_of(reading) == b"x"
    reading = Deferred.fromCoroutine(body.read())
    clock.advance(19.9)
    assert not reading.called
    clock.advance(0.1)
    with pytest.raises(RequestTimeout, match="not complete after 100 seconds"):
        result_of(reading)
    assert body.late


def test_silence_counts_from_when_the_reader_waits() -> None:
    clock = Clock()
    body = limited(clock)
    body.received(b"here")
    clock.advance(59)
    assert result_of(body.read()) == b"here"
    reading = Deferred.fromCoroutine(body.read())
    clock.advance(40)
    body.end()
    assert result_of(reading) == b""
    assert not body.late
    assert not clock.getDelayedCalls()


def test_nothing_for_a_while_is_said_as_such() -> None:
    clock = Clock()
    reading = Deferred.fromCoroutine(limited(clock).read())
    clock.advance(60)
    with pytest.raises(RequestTimeout, match="nothing of the request body came for 60 seconds"):
        result_of(reading)


def test_a_body_without_a_limit_may_pause_for_ever() -> None:
    clock = Clock()
    body = BodyStream(clock=clock)
    reading = Deferred.fromCoroutine(body.read())
    assert not clock.getDelayedCalls()
    clock.advance(100_000)
    body.received(b"x")
    assert result_of(reading) == b"x"


def test_what_is_here_is_read_without_a_timer_and_after_any_time() -> None:
    clock = Clock()
    body = BodyStream(clock=clock)
    body.received(b"all")
    body.end()
    body.limit(1, 1)
    clock.advance(100)
    assert [result_of(body.read()), result_of(body.read())] == [b"all", b""]
    assert not clock.getDelayedCalls()


def test_a_client_that_leaves_is_told_before_a_limit_and_leaves_no_timer() -> None:
    clock = Clock()
    body = limited(clock)
    reading = Deferred.fromCoroutine(body.read())
    body.lose()
    with pytest.raises(ClientGone):
        result_of(reading)
    assert not clock.getDelayedCalls()
