"""The first process: command, environment, user, terminal, how it is stopped."""

from __future__ import annotations

from apiserver.engine.containers.options import Process
from apiserver.wire.libpod.options.body import CreateBody


def read_process(body: CreateBody) -> Process:
    env = body.env or {}
    removed = [name for name in body.unsetenv or () if name not in env]
    return Process(
        # Go leaves an empty list out: it says nothing.
        entrypoint=tuple(body.entrypoint) if body.entrypoint else None,
        command=tuple(body.command) if body.command else None,
        env=(*(f"{name}={value}" for name, value in env.items()), *removed),
        working_dir=body.work_dir,
        user=body.user,
        terminal=body.terminal,
        stdin_open=body.stdin,
        stdin_once=body.stdin,
        attach_stdin=body.stdin,
        stop_signal="" if body.stop_signal is None else str(body.stop_signal),
        stop_timeout=None if body.stop_timeout is None else float(body.stop_timeout),
    )
