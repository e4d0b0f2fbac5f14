"""The tests' own tools: leftovers are found and cleared, a service that fails says why."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import leftovers
from tests.support.service import Service

STAND_IN = """#!/bin/sh
echo "said: $*" >&2
exit 3
"""


def kinds(found: set[leftovers.Left]) -> list[str]:
    return sorted(left.kind for left in found)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a path below `tmp_path` among its arguments."""
    process = subprocess.Popen(["sh", "-c", "sleep 60 & wait", str(tmp_path / "bundle")])
    while not Path(f"/proc/{process.pid}/cmdline").read_bytes():
        pass  # for a moment after an exec the kernel shows no arguments
    yield process
    process.kill()
    process.wait()


def test_a_process_is_found_by_the_path_it_was_started_with(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    assert kinds(leftovers.processes(tmp_path)) == ["process"]
    leftovers.clear(tmp_path)
    sleeper.wait(10)
    assert leftovers.processes(tmp_path) == set()


def in_own_mounts(folder: Path, script: str) -> subprocess.Popen[bytes]:
    """A `sleep` with a tmpfs of its own at `folder`, started by `script`; its arguments do not tell."""
    mount = f'mount -t tmpfs none "$1" && cd "$1" && {script}'
    unshare = ["unshare", "--mount", "--propagation", "private"]
    process = subprocess.Popen([*unshare, "sh", "-c", mount, "sh", folder])
    deadline = time.monotonic() + 10
    while b"sleep\x0060" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_a_process_is_found_by_a_root_that_was_mounted_from_there(tmp_path: Path) -> None:
    process = in_own_mounts(tmp_path, "cp /bin/busybox . && exec chroot . /busybox sleep 60")
    assert kinds(leftovers.processes(tmp_path)) == ["process"]
    leftovers.clear(tmp_path)
    process.wait(10)


def test_a_process_that_merely_sees_a_mount_there_is_somebody_elses(tmp_path: Path) -> None:
    process = in_own_mounts(tmp_path, "cd / && exec sleep 60")
    assert leftovers.processes(tmp_path) == set()
    leftovers.clear(tmp_path)
    assert process.poll() is None
    process.kill()
    process.wait(10)


def test_mounts_are_found_and_cleared(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path / "a"], check=True)
    (tmp_path / "a" / "b").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path / "a" / "b"], check=True)
    assert kinds(leftovers.mounts(tmp_path)) == ["mount", "mount"]
    leftovers.clear(tmp_path)
    assert leftovers.mounts(tmp_path) == set()


def test_a_kept_network_namespace_and_an_interface_are_found(tmp_path: Path) -> None:
    before = leftovers.everything(tmp_path)
    subprocess.run(["ip", "link", "add", "left0", "type", "bridge"], check=True)
    (tmp_path / "ns").touch()
    subprocess.run(["unshare", "--net", "mount", "--bind", "/proc/self/ns/net", tmp_path / "ns"], check=True)
    found = leftovers.everything(tmp_path) - before
    subprocess.run(["umount", tmp_path / "ns"], check=True)
    subprocess.run(["ip", "link", "del", "left0"], check=True)
    assert kinds(found) == ["interface", "namespace"]
    assert leftovers.everything(tmp_path) == before


def test_a_service_that_ends_instead_of_serving_is_reported_with_its_log(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    service = Service("--cors", "*", program=program)
    with pytest.raises(AssertionError, match=r"ended with 3:\nsaid: serve --root .* --cors \*"):
        service.start()
    service.discard()
    assert not service.folder.exists()


def test_a_service_that_never_ran_or_was_discarded_has_nothing_to_close() -> None:
    service = Service()
    service.close()
    assert not service.folder.exists()
    service.close()


def test_a_killed_service_is_started_again_on_the_same_socket() -> None:
    service = Service("--idle-timeout", "0")
    try:
        service.start()
        first = service.pid
        service.kill()
        service.restart()
        assert service.pid != first
        assert service.terminate() == 0
        assert "API service listening" in service.log()
    finally:
        service.discard()
