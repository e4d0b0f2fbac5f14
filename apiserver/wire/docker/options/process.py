"""The first process: command, environment, user, terminal, how it is stopped."""

from __future__ import annotations

from apiserver.engine.containers.options import Process
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import CreateBody, HostConfig


def read_process(body: CreateBody, host: HostConfig) -> Process:
    return Process(
        entrypoint=_words(body.entrypoint),
        command=_words(body.cmd),
        env=tuple(body.env or ()),
        working_dir=body.working_dir,
        user=body.user,
        terminal=body.tty,
        stdin_open=body.open_stdin,
        stdin_once=body.stdin_once,
        attach_stdin=body.attach_stdin,
        attach_stdout=body.attach_stdout,
        attach_stderr=body.attach_stderr,
        stop_signal=body.stop_signal,
        stop_timeout=None if body.stop_timeout is None else float(body.stop_timeout),
        console_size=console_size("HostConfig.ConsoleSize", host.console_size),
    )


def _words(value: list[str] | str | None) -> tuple[str, ...] | None:
    """A list, or one word as a string; an empty list is not the same as none."""
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(value)


def console_size(field: str, value: list[int] | None) -> tuple[int, int] | None:
    """Height and width; `[0, 0]` says nothing."""
    if not value or value == [0, 0]:
        return None
    if len(value) != 2 or not all(0 <= side <= 0xFFFF for side in value):
        raise InvalidParameter(f"{field}: it is the height and the width of a terminal, each at most 65535")
    return value[0], value[1]


def show_process(process: Process) -> JsonObject:
    """The process's part of `Config` in an inspection."""
    shown: JsonObject = {
        "User": process.user,
        "AttachStdin": process.attach_stdin,
        "AttachStdout": process.attach_stdout,
        "AttachStderr": process.attach_stderr,
        "Tty": process.terminal,
        "OpenStdin": process.stdin_open,
        "StdinOnce": process.stdin_once,
        "Env": list(process.env),
        "Cmd": None if process.command is None else list(process.command),
        "WorkingDir": process.working_dir,
        "Entrypoint": list(process.entrypoint) if process.entrypoint else None,
    }
    if process.stop_signal:
        shown["StopSignal"] = process.stop_signal
    if process.stop_timeout is not None:
        shown["StopTimeout"] = int(process.stop_timeout)
    return shown
