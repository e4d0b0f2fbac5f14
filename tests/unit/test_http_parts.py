"""The small parts of the HTTP layer: time limits, error table, what a log may show, who may call."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from apiserver.errors import (
    Conflict,
    Forbidden,
    InvalidParameter,
    LockTimeout,
    NoSuchContainer,
    NotImplementedYet,
    NotModified,
    ProgramMissing,
    TooLarge,
)
from apiserver.http import middleware
from apiserver.http.deadline import Deadline
from apiserver.http.errors import error_body, status_of
from apiserver.http.flavour import Flavour
from apiserver.http.flow import Drain, Gate
from apiserver.http.once import Once
from apiserver.http.settings import HttpSettings
from tests.support.results import result_of


def test_a_deadline_that_moves_keeps_one_timer() -> None:
    clock, expired = Clock(), []
    deadline = Deadline(clock, lambda: expired.append(clock.seconds()))
    for _ in range(100):
        deadline.set(10)
        clock.advance(1)
    assert len(clock.getDelayedCalls()) == 1
    assert not expired
    clock.pump([1] * 20)
    assert expired == [109]


def test_a_deadline_may_move_earlier_and_be_taken_back() -> None:
    clock, expired = Clock(), []
    deadline = Deadline(clock, lambda: expired.append(clock.seconds()))
    deadline.set(60)
    deadline.set(0.25)
    clock.advance(0.25)
    assert expired == [0.25]
    deadline.set(1)
    deadline.set(None)
    clock.advance(100)
    assert expired == [0.25]
    deadline.set(1)
    deadline.stop()
    assert not clock.getDelayedCalls()


def test_each_waiter_has_a_deferred_of_its_own() -> None:
    once = Once()
    first, second = once.wait(), once.wait()
    first.addErrback(lambda failure: failure.trap(CancelledError) and None)
    first.cancel()
    once.fire()
    assert second.called
    assert once.wait().called


class Pausable:
    def __init__(self) -> None:
        self.said: list[str] = []

    def pauseProducing(self) -> None:
        self.said.append("pause")

    def resumeProducing(self) -> None:
        self.said.append("resume")


def test_reading_goes_on_only_when_nobody_holds_it() -> None:
    transport = Pausable()
    gate = Gate(transport)
    gate.hold("body")
    gate.pauseProducing()
    gate.hold("body")
    gate.release("body")
    assert transport.said == ["pause"]
    gate.resumeProducing()
    gate.resumeProducing()
    assert transport.said == ["pause", "resume"]


def test_writers_wait_while_the_transport_is_full() -> None:
    drain = Drain()
    result_of(drain.wait())
    drain.fill()
    waiting = Deferred.fromCoroutine(drain.wait())
    assert not waiting.called
    drain.empty()
    result_of(waiting)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotModified("x"), 304),
        (InvalidParameter("x"), 400),
        (Forbidden("x"), 403),
        (NoSuchContainer("x"), 404),
        (Conflict("x"), 409),
        (TooLarge("x"), 413),
        (ProgramMissing("crun"), 500),
        (RuntimeError("x"), 500),
        (NotImplementedYet("x"), 501),
        (LockTimeout("x"), 503),
    ],
)
def test_each_kind_of_failure_has_its_status(error: Exception, status: int) -> None:
    assert status_of(error) == status


def test_one_body_serves_both_flavours_each_in_its_words() -> None:
    error = NoSuchContainer("x")
    assert error_body(error, 404, Flavour.DOCKER) == {
        "cause": "no such container",
        "message": "No such container: x",
        "response": 404,
    }
    assert error_body(error, 404, Flavour.LIBPOD)["message"] == (
        'no container with name or ID "x" found: no such container'
    )


def test_the_cause_is_the_end_of_the_chain_of_errors() -> None:
    error = Conflict("in use")
    error.__cause__ = NoSuchContainer("x")
    body = error_body(error, 409, Flavour.DOCKER)
    assert (body["cause"], body["message"]) == ("no such container", "in use")


def test_what_python_says_of_a_value_is_no_cause() -> None:
    error = InvalidParameter("size: x is no number")
    error.__cause__ = ValueError("invalid literal for int() with base 10: 'x'")
    assert error_body(error, 400, Flavour.LIBPOD)["cause"] == "invalid argument"


def test_an_error_that_is_its_own_cause_has_an_end() -> None:
    error = Conflict("in use")
    error.__cause__ = NoSuchContainer("x")
    error.__cause__.__cause__ = error
    assert error_body(error, 409, Flavour.DOCKER)["cause"] == "no such container"


def test_braces_in_a_name_do_no_harm() -> None:
    assert error_body(NoSuchContainer("{cause}{0}"), 404, Flavour.DOCKER)["message"] == "No such container: {cause}{0}"


@pytest.mark.parametrize("own", [b"abc-1", b"0xc000123", b"a" * 128])
def test_the_clients_own_reference_id_is_taken(own: bytes) -> None:
    assert middleware.reference_id(own, "ours") == own.decode()


@pytest.mark.parametrize("own", [b"", b"a b", b"a\x1b[31m", b"a" * 129, b'"', b"\xff"])
def test_one_that_is_long_or_odd_is_not(own: bytes) -> None:
    assert middleware.reference_id(own, "ours") == "ours"


def test_a_traced_body_has_no_credentials() -> None:
    body = {
        "username": "u",
        "Password": "p",
        "serveraddress": "s",
        "nested": [{"identitytoken": "t", "Auth": "a"}],
    }
    shown = json.loads(middleware.blanked(json.dumps(body).encode()))
    assert shown == {
        "username": "u",
        "Password": "***",
        "serveraddress": "s",
        "nested": [{"identitytoken": "***", "Auth": "***"}],
    }


def test_of_a_traced_body_that_is_no_json_only_the_size_is_shown() -> None:
    assert middleware.blanked(b"\0secret") == "(7 bytes)"


def test_build_arguments_are_blanked_in_a_logged_address() -> None:
    shown = middleware.shown_uri(b"/build?t=x&buildargs=%7B%22TOKEN%22%3A%22s%22%7D&q=1")
    assert shown == "/build?t=x&buildargs=***&q=1"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("/v5.0.0/libpod/images/pull?reference=a&credentials=bob:PW", "?reference=a&credentials=***"),
        ("/libpod/images/pull?Credentials=bob:P#W&reference=a", "?Credentials=***&reference=a"),
        ("/libpod/images/pull?cred%65ntials=bob:PW", "?cred%65ntials=***"),
        ("/images/create?fromSrc=http://bob:PW@host/x.tar", "?fromSrc=http://***@host/x.tar"),
        ("/build?remote=https%3A%2F%2FPW%40host%2Fx.git&q=1", "?remote=https%3A%2F%2F***%40host%2Fx.git&q=1"),
        ("/build?remote=https%3a%2f%2fbob:P%40W%40host%2fa@b", "?remote=https%3a%2f%2f***%40host%2fa@b"),
        ("/libpod/images/pull?reference=docker://host/a@sha256:0", "?reference=docker://host/a@sha256:0"),
    ],
)
def test_credentials_are_blanked_in_a_logged_address(sent: str, shown: str) -> None:
    assert middleware.shown_uri(sent.encode()).endswith(shown)


@pytest.mark.parametrize(
    ("keep_alive", "announced"),
    [(0, None), (1.0, None), (2.4, None), (2.5, 2), (4.5, 4), (10, 9), (600, 599)],
)
def test_the_announced_time_is_below_the_true_one_and_left_out_where_it_would_be_short(
    keep_alive: float, announced: int | None
) -> None:
    assert HttpSettings(keep_alive=keep_alive).announced_seconds == announced
    assert announced is None or announced < keep_alive
