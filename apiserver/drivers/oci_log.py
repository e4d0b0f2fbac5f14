"""What an OCI runtime says when it refuses, made into kinds of failure."""

from __future__ import annotations

import json
import re
from pathlib import Path

from apiserver.errors import CommandNotExecutable, CommandNotFound, EngineError, RuntimeFailed, WorkingDirUnusable

_READ_LIMIT = 1024 * 1024

# These are compiled when a runtime first refuses something: that takes 2 ms, which no start is to wait for.
#
# runc: exec: "x": executable file not found in $PATH, or stat /x: no such file or directory.
# crun: executable file `x` not found in $PATH: No such file or directory, or open executable: No such file...
_NOT_FOUND = (
    r"(?is)executable file .{0,4096}not found|exec: .{0,4096}: (?:stat .{0,4096}: )?no such file or directory"
    r"|open executable: no such file|executable file not found|exec .{0,4096}: no such file or directory"
)
# runc: exec: "x": permission denied, and "is a directory"; crun: the path `x` exists but it is not executable, and
# (1.21) the path `x` is not a regular file.
_NOT_EXECUTABLE = (
    r"(?is)is not executable|the path `[^`]{0,4096}` is not a regular file"
    r"|exec: .{0,4096}: (?:permission denied|is a directory)|exec format error"
    r"|open executable: (?:permission denied|operation not permitted)|exec .{0,4096}: permission denied"
)
# runc: chdir to cwd ("/x") set in config.json failed: no such file or directory. crun: chdir to `/x`: No such file...
_WORKING_DIR = r"(?is)chdir to .{0,8192}: (?:no such file or directory|not a directory|(?P<closed>permission denied))"
_LOOKED_FOR = ("executable file not found", "no such file or directory")
"""By either, in these letters, `docker run` knows that it ends with 127."""
_NAMED = r"[`\"]([^`\"]+)[`\"]"


def last_message(log: bytes | str) -> str | None:
    """The last message of a log in JSON, whose entries may each span several lines.

    Lines that are no JSON (the same in words, on stderr) count only where there is no entry at all; None when the log
    is empty.
    """
    entries, words = _read(log)
    return entries[-1][1] if entries else "\n".join(words) or None


def _read(log: bytes | str) -> tuple[list[tuple[object, str]], list[str]]:
    """Level and message of each entry, and the lines beside them."""
    text = log.decode(errors="replace") if isinstance(log, bytes) else log
    decoder = json.JSONDecoder()
    entries: list[tuple[object, str]] = []
    words: list[str] = []
    while text := text.lstrip():
        try:
            value, end = decoder.raw_decode(text)
        except json.JSONDecodeError:
            line, _, text = text.partition("\n")
            words.append(line.rstrip())
            continue
        text = text[end:]
        if isinstance(value, dict) and isinstance(value.get("msg"), str) and value["msg"]:
            entries.append((value.get("level"), value["msg"]))
    return entries, words


def failure(message: str) -> EngineError:
    """The kind of failure that a runtime's message tells of, with the words that Docker's clients look for."""
    text = said = message.strip()
    if (cwd := re.search(_WORKING_DIR, text)) is not None:
        return WorkingDirUnusable(text, 126 if cwd["closed"] else 127)
    if re.search(_NOT_FOUND, text):
        known = any(words in text for words in _LOOKED_FOR)
        if not known and (named := re.search(_NAMED, text)):
            text = f'{text}: exec: "{named[1]}": executable file not found in $PATH'
        return CommandNotFound(text, said)
    if re.search(_NOT_EXECUTABLE, text):
        if "permission denied" not in text:
            text = f"{text}: permission denied"
        return CommandNotExecutable(text, said)
    return RuntimeFailed(text or "it ended without a message")


def read_failure(*logs: Path, otherwise: str) -> EngineError:
    """What the first of these logs that holds a message tells of; each may be missing.

    Args:
        otherwise: the message where none of them holds one.
    """
    for log in logs:
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - _READ_LIMIT))
                text = file.read(_READ_LIMIT)
        except FileNotFoundError:
            continue
        if message := last_message(text):
            return _with_reason(failure(message), text)
    return failure(otherwise)


def _with_reason(error: EngineError, log: bytes) -> EngineError:
    """With the reason that runc's first program in the container gives, where runc itself only knows that it is gone.

    runc 1.1 logs what that program says before it ends as fatal, and then "waiting for init preliminary setup: read
    init-p: connection reset by peer" as the error.
    """
    reasons = [message for level, message in _read(log)[0][:-1] if level == "fatal"]
    if type(error) is not RuntimeFailed or not reasons:
        return error
    return RuntimeFailed(f"{error.subject}: {reasons[-1]}")
