"""The OCI process of an exec session, out of its container's own and of what the session asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from apiserver.drivers.linux.openat2 import Inside
from apiserver.engine.containers.model import ExecSession
from apiserver.jsonvalue import JsonObject
from apiserver.local.paths import RunPaths
from apiserver.local.runs.account_files import read_accounts
from apiserver.local.runs.defaults import Defaults
from apiserver.local.runs.spec import process, users


def exec_process(run: RunPaths, session: ExecSession, pid: int, available: Sequence[str]) -> JsonObject:
    """The process to start.

    Args:
        pid: the container's first process, whose root the container's passwd is looked up in.
        available: the capabilities of a privileged session.

    Raises:
        InvalidParameter
    """
    defaults = Defaults.read(run)
    configured: dict[str, Any] = json.loads(run.config.read_bytes().decode(errors="surrogateescape"))["process"]
    user = _user(session.user or defaults.user, defaults.groups, pid)
    env = process.environment(
        (*defaults.env, *session.env), hostname=defaults.hostname, terminal=session.terminal, home=user.home
    )
    bounding = list(available) if session.privileged else configured["capabilities"]["bounding"]
    same_user = user.uid == configured["user"]["uid"]
    return process.process_object(
        process.arguments(session.argv),
        env,
        cwd=process.working_dir(session.working_dir) if session.working_dir else configured["cwd"],
        user=user,
        terminal=session.terminal,
        console_size=session.console_size,
        capabilities=cast(list[str], bounding),
        rlimits=configured.get("rlimits", []),
        no_new_privileges=configured["noNewPrivileges"] and not session.privileged,
        apparmor="" if session.privileged else configured.get("apparmorProfile", ""),
        oom_score_adj=configured.get("oomScoreAdj"),
        umask=configured["user"].get("umask", 0o022),
        held_by_users=configured["capabilities"].get("ambient", []) if same_user else [],
    )


def _user(text: str, groups: Sequence[str], pid: int) -> users.User:
    with Inside(Path(f"/proc/{pid}/root")) as root:
        # The runtime reads them as well, in there, and would wait for ever at a fifo.
        passwd, group = (read_accounts(root, path, path) for path in ("/etc/passwd", "/etc/group"))
    return users.resolve(text, groups, passwd, group)
