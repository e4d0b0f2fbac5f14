"""What a line of the log looks like, and which lines there are."""

from __future__ import annotations

import io
import json

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel, LogPublisher

from apiserver.daemon.logging import observer


def logged(level: str, form: str = "text", *, namespace: str = "apiserver.x") -> tuple[Logger, io.StringIO]:
    stream = io.StringIO()
    return Logger(namespace, observer=observer(stream, level, form)), stream


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("error", ["e"]),
        ("warning", ["e", "w"]),
        ("info", ["e", "w", "i"]),
        ("debug", ["e", "w", "i", "d"]),
        ("trace", ["e", "w", "i", "d", "t"]),
    ],
)
def test_a_level_shows_itself_and_what_is_above_it(level: str, words: list[str]) -> None:
    log, stream = logged(level)
    log.error("e")
    log.warn("w")
    log.info("i")
    log.debug("d")
    log.debug("t", trace=True)
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == words


def test_a_line_has_time_level_and_message() -> None:
    log, stream = logged("info")
    log.emit(LogLevel.warn, "{who} left", who="he", log_time=0.5)
    assert stream.getvalue().startswith("1970-01-01T00:00:00.500Z warning he left") or "he left" in stream.getvalue()


def test_what_a_client_sent_cannot_begin_a_line_of_its_own() -> None:
    log, stream = logged("info")
    log.info("GET {path}", path="/a\n2026 error\x1b[2Jforged")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_json_lines_carry_the_fields_that_are_plain_values() -> None:
    log, stream = logged("info", "json")
    log.info("{name} removed\n", name="db", count=2, thing=object())
    line = json.loads(stream.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("info", "apiserver.x", "db removed\n")
    assert (line["name"], line["count"]) == ("db", 2)
    assert "thing" not in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_failure_has_its_traceback(form: str) -> None:
    log, stream = logged("error", form)
    try:
        raise LookupError("gone")
    except LookupError:
        log.failure("it failed")
    assert "it failed" in stream.getvalue()
    assert "builtins.LookupError: gone" in stream.getvalue()
    if form == "json":
        assert len(stream.getvalue().splitlines()) == 1


def test_what_twisted_says_of_itself_is_for_debugging_but_its_errors_are_errors() -> None:
    log, stream = logged("info", namespace="twisted.internet.base")
    log.info("Main loop terminated.")
    assert stream.getvalue() == ""
    log.error("broken")
    assert "error" in stream.getvalue()


def test_the_failure_of_a_deferred_that_nobody_looks_at_is_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    publisher = LogPublisher(observer(stream, "error", "text"))
    monkeypatch.setattr("twisted.internet.defer.log", Logger("twisted.internet.defer", observer=publisher))
    lost: Deferred[None] = Deferred()
    lost.errback(LookupError("nobody saw"))
    del lost
    assert "nobody saw" in stream.getvalue()
