"""The log: one line an event on standard error, text or JSON, Twisted's own errors among them.

Below `debug` there is `trace`, which Twisted does not know: an event at debug with a field `trace=True`.
What a client sent may hold newlines; no event but a traceback takes more than one line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import implementer

from apiserver.daemon.options import LOG_LEVELS

_RANKS = {name: rank for rank, name in enumerate(LOG_LEVELS)}
_NAMES = {
    LogLevel.critical: "error",
    LogLevel.error: "error",
    LogLevel.warn: "warning",
    LogLevel.info: "info",
    LogLevel.debug: "debug",
}
_ESCAPES = {number: f"\\x{number:02x}" for number in (*range(32), 127)} | {10: "\\n", 13: "\\r", 9: "\\t"}


def begin_logging(level: str, form: str) -> None:
    """Send all that is logged from now on, and what was buffered, to standard error."""
    globalLogBeginner.beginLoggingTo([observer(sys.stderr, level, form)], redirectStandardIO=False)


def observer(stream: TextIO, level: str, form: str) -> StreamObserver:
    """
    Args:
        level: the lowest of LOG_LEVELS to be written.
        form: `text` or `json`.
    """
    return StreamObserver(stream, level, _json_lines() if form == "json" else _text)


def level_of(event: LogEvent) -> str:
    """The event's level in our words.

    What Twisted says of itself ("… starting on …") tells an administrator nothing: debug.
    """
    level = _NAMES[event.get("log_level", LogLevel.info)]
    if level == "debug" and event.get("trace"):
        return "trace"
    if level == "info" and event.get("log_namespace", "").startswith(("log_legacy", "twisted.")):
        return "debug"
    return level


@implementer(ILogObserver)
class StreamObserver:
    def __init__(self, stream: TextIO, level: str, form: Callable[[LogEvent, str], str]) -> None:
        self._stream = stream
        self._rank = _RANKS[level]
        self._form = form

    def __call__(self, event: LogEvent) -> None:
        level = level_of(event)
        if _RANKS[level] <= self._rank:
            self._stream.write(self._form(event, level) + "\n")
            self._stream.flush()


def _when(event: LogEvent) -> str:
    return datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(event: LogEvent) -> str | None:
    failure = event.get("log_failure")
    return failure.getTraceback().rstrip() if isinstance(failure, Failure) else None


def _text(event: LogEvent, level: str) -> str:
    line = f"{_when(event)} {level:<7} {formatEvent(event).translate(_ESCAPES)}"
    traceback = _traceback(event)
    return line if traceback is None else f"{line}\n{traceback}"


def _json_lines() -> Callable[[LogEvent, str], str]:
    import json  # only where asked for

    def form(event: LogEvent, level: str) -> str:
        line: dict[str, object] = {
            "time": _when(event),
            "level": level,
            "logger": event.get("log_namespace", ""),
            "message": formatEvent(event),
        }
        for name, value in event.items():
            if not name.startswith("log_") and name not in line and isinstance(value, str | int | float | bool):
                line[name] = value
        traceback = _traceback(event)
        if traceback is not None:
            line["traceback"] = traceback
        return json.dumps(line)

    return form
