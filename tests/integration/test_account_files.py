"""passwd and group of a container, which say who its users are: found where the container finds them."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
import pytest_twisted
from msgspec.structs import replace

from apiserver.drivers.linux.openat2 import Inside
from apiserver.engine.containers.model import ExecSession
from tests.integration.local_rig import rig
from tests.support.local_runs import Rig, shell

__all__ = ["rig"]


@pytest_twisted.ensureDeferred
async def test_a_device_in_place_of_a_file_that_was_looked_at_is_not_opened(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a container can do at any time happens here at the worst."""
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    (etc,) = (rig.paths.root / "containers" / made.key.container_id).glob("**/merged/etc")
    opened = []
    looks = Inside.open

    def swapping(root: Inside, path: str | PurePosixPath, flags: int = os.O_PATH, mode: int = 0) -> int:
        descriptor = looks(root, path, flags, mode)
        opened.append((str(path), bool(flags & os.O_PATH)))
        if str(path) in ("/etc/passwd", "/etc/group"):
            os.mknod(etc / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            (etc / "device").rename(etc / PurePosixPath(path).name)
        return descriptor

    passwd, group = ((etc / name).read_bytes() for name in ("passwd", "group"))
    monkeypatch.setattr(Inside, "open", swapping)
    session = ExecSession(
        "e" * 64, made.key.container_id, made.key.number, datetime.now(UTC), ("true",), user="app:daemon"
    )
    session = replace(session, plan=rig.streams.plan_exec(made.plan, session))
    await rig.streams.start_exec(made.plan, session, attach=False)
    assert await rig.streams.exec_end(made.plan, session) == 0
    for name, data in (("passwd", passwd), ("group", group)):
        (etc / name).unlink()
        (etc / name).write_bytes(data)
    (process,) = await rig.runs.processes(made.plan)
    assert (process.user.inside, process.group.inside) == ("root", "root")
    assert set(opened) == {("/etc/passwd", True), ("/etc/group", True)}
