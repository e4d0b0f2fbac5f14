"""The first process: command, environment, user, terminal, how it is stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from apiserver.engine.containers.options import Process
from apiserver.errors import InvalidArgument, InvalidParameter
from apiserver.wire.libpod.options.body import CreateBody

_UMASK = re.compile("[0-7]{1,4}")
CONTAINER = "container=podman"
"""How programs of an image find out that they are in a container; scripts written for Podman compare the value."""


def read_process(body: CreateBody, proxies: Mapping[str, str]) -> Process:
    """
    Args:
        proxies: variables for a container that is to use the service's own proxies.

    Raises:
        InvalidParameter
    """
    return Process(
        # Go leaves an empty list out: it says nothing.
        entrypoint=tuple(body.entrypoint) if body.entrypoint else None,
        command=tuple(body.command) if body.command else None,
        env=tuple(_env(body)),
        default_env=(CONTAINER, *(f"{name}={value}" for name, value in proxies.items() if body.httpproxy)),
        env_merge=tuple(body.envmerge or ()),
        image_env=not body.unsetenvall,
        working_dir=body.work_dir,
        create_working_dir=body.create_working_dir or not body.work_dir,
        user=body.user,
        adds_accounts=body.manage_password,
        passwd_entry=body.passwd_entry,
        group_entry=body.group_entry,
        terminal=body.terminal,
        stdin_open=body.stdin,
        stdin_once=body.stdin,
        attach_stdin=body.stdin,
        stop_signal="" if body.stop_signal is None else str(body.stop_signal),
        stop_timeout=None if body.stop_timeout is None else float(body.stop_timeout),
        umask=_umask(body.umask),
        timezone=body.timezone,
        systemd=body.systemd in ("", "true"),
    )


def _env(body: CreateBody) -> Iterator[str]:
    """`NAME=value`, and each `NAME` to take out."""
    env = body.env or {}
    for field, names in (("env", env), ("unsetenv", body.unsetenv or ())):
        for name in names:
            if "=" in name:
                raise InvalidParameter(f"{field}: invalid environment variable name: {name[:100]!r}")
    yield from (f"{name}={value}" for name, value in env.items())
    yield from (name for name in body.unsetenv or () if name not in env)


def _umask(text: str) -> int:
    if not text:
        return 0o022
    if not _UMASK.fullmatch(text):
        raise InvalidArgument(f"invalid umask string {text[:100]}")
    return int(text, 8)
