"""What runtimes say when they refuse: the words are those of the versions named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.drivers.oci_log import failure, last_message, read_failure
from apiserver.errors import CommandNotExecutable, CommandNotFound, EngineError, RuntimeFailed, WorkingDirUnusable


def test_the_last_entry_counts() -> None:
    assert last_message(b'{"level":"warning","msg":"careful"}\n{"level":"error","msg":"it broke"}\n') == "it broke"


def test_an_entry_may_span_several_lines() -> None:
    assert last_message('{\n  "msg": "first"\n}\n{\n  "msg": "crun 1.28",\n  "level": "error"\n}\n') == "crun 1.28"


def test_words_beside_entries_do_not_count() -> None:
    assert last_message(b'container does not exist\n{"msg":"the entry"}\ncontainer does not exist\n') == "the entry"


def test_words_alone_do() -> None:
    assert last_message(b"conmon: option unknown\n") == "conmon: option unknown"


@pytest.mark.parametrize("log", [b"", b"\n \n", b"{}\n", b'{"msg": 5}'])
def test_an_empty_log_has_no_message(log: bytes) -> None:
    assert last_message(log) is None


@given(st.text())
def test_no_log_is_too_odd_to_be_read(text: str) -> None:
    last_message(text)
    failure(text)


@pytest.mark.parametrize(
    "message",
    [
        'runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH',
        'unable to start container process: exec: "/bin/nope": stat /bin/nope: no such file or directory',
        "executable file `nope` not found in $PATH: No such file or directory",
        "open executable: No such file or directory",
    ],
)
def test_a_missing_command_is_127(message: str) -> None:
    error = failure(message)
    assert isinstance(error, CommandNotFound)
    assert error.exit_code == 127


@pytest.mark.parametrize(
    "message",
    [
        'unable to start container process: exec: "/bin/plain": permission denied',
        'unable to start container process: exec: "/tmp": is a directory: unknown',
        "the path `/bin/plain` exists but it is not executable: Operation not permitted",
        "the path `/tmp` is not a regular file: Operation not permitted",
        "open executable: Permission denied",
        "open executable: Operation not permitted",
        "exec /bin/text: exec format error",
    ],
)
def test_a_command_that_cannot_be_executed_is_126(message: str) -> None:
    error = failure(message)
    assert isinstance(error, CommandNotExecutable)
    assert error.exit_code == 126
    assert "permission denied" in error.subject


def test_cruns_words_for_a_missing_command_become_those_that_clients_look_for() -> None:
    error = failure("executable file `nope` not found in $PATH: No such file or directory")
    assert 'exec: "nope": executable file not found in $PATH' in error.subject


@pytest.mark.parametrize(
    "message",
    [
        'unable to start container process: exec: "/nope": stat /nope: no such file or directory',
        'unable to start container process: exec: "nope": executable file not found in $PATH',
    ],
)
def test_words_that_clients_look_for_are_left_as_they_are(message: str) -> None:
    assert subject(failure(message)) == message


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('exec failed: unable to start container process: chdir to cwd ("/x") set in config.json failed:'
         " no such file or directory", 127),
        ('chdir to cwd ("/bin/sh") set in config.json failed: not a directory', 127),
        ('chdir to cwd ("/root") set in config.json failed: permission denied', 126),
        ("chdir to `/x`: No such file or directory", 127),
    ],
)  # fmt: skip
def test_a_directory_that_cannot_be_entered_is_no_missing_command(message: str, code: int) -> None:
    error = failure(message)
    assert type(error) is WorkingDirUnusable
    assert (error.exit_code, error.subject) == (code, message)


@pytest.mark.parametrize("message", ["opening file `memory.max` for writing: No such file or directory", "", "mount"])
def test_anything_else_is_125(message: str) -> None:
    error = failure(message)
    assert type(error) is RuntimeFailed
    assert error.exit_code == 125
    assert error.subject


def subject(error: EngineError) -> object:
    return error.subject


def test_the_first_log_that_says_something_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "said").write_text("words\n")
    logs = (tmp_path / "missing", tmp_path / "empty", tmp_path / "said")
    assert subject(read_failure(*logs, otherwise="silence")) == "words"
    assert subject(read_failure(*logs[:2], otherwise="silence")) == "silence"


def test_an_endless_log_is_read_from_near_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'{"msg":"old"}\n' * 200_000 + b'{"msg":"new"}\n')
    assert subject(read_failure(log, otherwise="silence")) == "new"


RESET = "runc create failed: unable to start container process: waiting for init preliminary setup: read init-p: reset"
CLONED = "nsexec[30]: could not ensure we are a cloned binary: Permission denied"


def log_of(file: Path, *entries: tuple[str, str]) -> Path:
    file.write_text("\n".join(json.dumps({"level": level, "msg": message}) for level, message in entries))
    return file


def test_why_the_runtimes_own_program_ended_is_said_with_that_it_did(tmp_path: Path) -> None:
    """As runc 1.1.15 logs it. The words of the reason are not taken for those of a command that cannot be run."""
    said = read_failure(log_of(tmp_path / "log", ("fatal", CLONED), ("error", RESET)), otherwise="silence")
    assert isinstance(said, RuntimeFailed)
    assert (said.exit_code, said.subject) == (125, f"{RESET}: {CLONED}")


def test_what_is_no_reason_or_needs_none_stands_alone(tmp_path: Path) -> None:
    warned = read_failure(log_of(tmp_path / "warned", ("warning", "careful"), ("error", RESET)), otherwise="silence")
    assert isinstance(warned, RuntimeFailed)
    assert warned.subject == RESET
    missing = 'exec: "nope": executable file not found in $PATH'
    unusable = read_failure(log_of(tmp_path / "unusable", ("fatal", CLONED), ("error", missing)), otherwise="silence")
    assert isinstance(unusable, CommandNotFound)
    assert unusable.subject == missing
