"""The first process: arguments, environment, directory, and as whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from apiserver.engine.containers.options.process import DEFAULT_PATH
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.local.runs.spec.security import capability_sets
from apiserver.local.runs.spec.users import User

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def arguments(argv: Sequence[str]) -> list[str]:
    """`process.args`.

    Raises:
        InvalidParameter: there is none, or a NUL in one.
    """
    if not argv or not argv[0]:
        raise InvalidParameter("no command specified")
    if any("\0" in argument for argument in argv):
        raise InvalidParameter("invalid command: it has a NUL in it")
    return list(argv)


def environment(asked: Iterable[str], *, hostname: str, terminal: bool, home: str) -> list[str]:
    """`process.env`: what every process has, then what was asked for, and HOME where nobody said it.

    Raises:
        InvalidParameter: no `NAME=value`. A value may have several lines (keys and certificates do), but not HOME's.
    """
    found = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if terminal:
        found["TERM"] = "xterm"
    for variable in asked:
        name, equals, value = variable.partition("=")
        if not name or _CONTROL.search(name) or "\0" in value:
            raise InvalidParameter(f"invalid environment variable: {variable!r}")
        if not equals:
            # Docker: a name alone takes the variable away, one that the image has too.
            found.pop(name, None)
        else:
            found[name] = value
    if _CONTROL.search(found.get("HOME", "")):
        raise InvalidParameter(f"invalid environment variable: HOME={found['HOME']!r}")
    found.setdefault("HOME", home)
    return [f"{name}={value}" for name, value in found.items()]


def working_dir(text: str) -> str:
    """`process.cwd`, cleaned by its letters alone.

    Raises:
        InvalidParameter: not absolute; control characters; below /proc, where a descriptor of the host could be
            reached (CVE-2024-21626).
    """
    if not text:
        return "/"
    if _CONTROL.search(text) or not text.startswith("/"):
        raise InvalidParameter(f"the working directory '{text!r}' is invalid, it needs to be an absolute path")
    path = cleaned(text)
    refuse_proc(path, text)
    return path


def refuse_proc(resolved: str, asked: str) -> None:
    """Refuse a directory below /proc, by whatever links it was reached.

    Raises:
        InvalidParameter
    """
    if resolved.startswith("/proc/"):
        raise InvalidParameter(f"invalid working directory: {asked!r} is inside /proc")


def cleaned(path: str) -> str:
    """An absolute path without `.`, `..`, and doubled or closing slashes."""
    parts: list[str] = []
    for part in PurePosixPath(path).parts[1:]:
        if part == "..":
            if parts:
                parts.pop()
        else:
            parts.append(part)
    return "/" + "/".join(parts)


def process_object(
    argv: Sequence[str],
    env: Sequence[str],
    *,
    cwd: str,
    user: User,
    terminal: bool,
    console_size: tuple[int, int] | None,
    capabilities: Sequence[str],
    rlimits: Sequence[Mapping[str, JsonValue]],
    no_new_privileges: bool,
    apparmor: str,
    oom_score_adj: int | None,
    umask: int = 0o022,
    held_by_users: Sequence[str] = (),
) -> JsonObject:
    """The OCI `process`, of a container or of an exec session."""
    found: JsonObject = {
        "terminal": terminal,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups), "umask": umask},
        "args": list(argv),
        "env": list(env),
        "cwd": cwd,
        "capabilities": capability_sets(capabilities, user.uid, held_by_users),
        "rlimits": list(rlimits),
        "noNewPrivileges": no_new_privileges,
    }
    if terminal and console_size is not None and all(console_size):
        found["consoleSize"] = {"height": console_size[0], "width": console_size[1]}
    if apparmor:
        found["apparmorProfile"] = apparmor
    if oom_score_adj is not None:
        found["oomScoreAdj"] = oom_score_adj
    return found
