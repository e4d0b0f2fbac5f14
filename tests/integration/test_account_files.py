"""passwd and group of a container, which say who its users are: found where the container finds them."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
import pytest_twisted
from msgspec.structs import replace

from apiserver.drivers.linux.openat2 import Inside
from apiserver.engine.containers.model import ExecSession
from apiserver.engine.containers.options.mounts import Mount, MountKind
from tests.integration.local_rig import rig
from tests.support.local_runs import Rig, mounted, shell

__all__ = ["rig"]

PASSWD = "root:x:0:0::/root:/bin/sh\nsomebody:x:77:88::/:/bin/sh\n"
GROUP = "root:x:0:\nothers:x:99:\n"


async def ids(rig: Rig, user: str, *mounts: Mount) -> str:
    ran = await rig.run(shell("id -u; id -g", mounts=mounted(*mounts), process={"user": user}))
    assert ran.code == 0, ran.err
    return ran.text.replace("\n", " ").strip()


@pytest_twisted.ensureDeferred
async def test_a_file_is_mounted_that_is_a_link_on_the_host(rig: Rig, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (away / "passwd").write_text(PASSWD)
    (away / "group").write_text(GROUP)
    (tmp_path / "passwd").symlink_to(away / "passwd")
    (tmp_path / "further").symlink_to("passwd")
    (tmp_path / "group").symlink_to("away/group")
    groups = Mount(MountKind.BIND, "/etc/group", str(tmp_path / "group"))
    for name in ("passwd", "further"):
        users = Mount(MountKind.BIND, "/etc/passwd", str(tmp_path / name))
        assert await ids(rig, "somebody:others", users, groups) == "77 99"


@pytest_twisted.ensureDeferred
async def test_a_link_of_the_image_leads_into_a_mount(rig: Rig, tmp_path: Path) -> None:
    etc = rig.layers.directories[0] / "etc"
    (etc / "passwd").unlink()
    (etc / "passwd").symlink_to("../accounts/users")
    (etc / "group").unlink()
    (etc / "group").symlink_to("/links/group")
    (etc.parent / "links").symlink_to("accounts")
    accounts = tmp_path / "accounts"
    accounts.mkdir()
    (accounts / "users").write_text(PASSWD)
    (accounts / "group").write_text(GROUP)
    assert await ids(rig, "somebody:others", Mount(MountKind.BIND, "/accounts", str(accounts))) == "77 99"
    assert await ids(rig, "somebody", Mount(MountKind.BIND, "/accounts", str(accounts), read_only=True)) == "77 88"


@pytest_twisted.ensureDeferred
async def test_what_is_below_a_tmpfs_is_looked_at_as_docker_does(rig: Rig) -> None:
    assert await ids(rig, "app", Mount(MountKind.TMPFS, "/etc")) == "1000 1000"


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
