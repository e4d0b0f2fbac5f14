"""`apiserver check` as a command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PYTHON = Path(sys.executable)


def check(*arguments: str, before: str = ":") -> subprocess.CompletedProcess[str]:
    """Run the command in a mount namespace of its own, after the shell commands `before`."""
    script = f'{before}; exec "$@"'
    command = [str(PYTHON.parent / "apiserver"), "check", *arguments]
    return subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", *command],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_host_that_can_run_containers_is_told_so_with_versions() -> None:
    done = check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Containers can run here.\n")
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line and not line.startswith(" ")}
    for program in ("conmon", "skopeo", "buildah", "netavark"):
        assert " ok " in rows[program]
        assert "version unknown" not in rows[program]


def test_what_is_missing_is_named_with_its_package() -> None:
    done = check(before="mount --bind /dev/null /usr/bin/conmon")
    assert done.returncode == 1
    assert "apt-get install conmon" in done.stdout
    assert "Containers cannot run here" in done.stdout


def test_a_runtime_that_is_not_there_cannot_be_chosen() -> None:
    done = check("--runtime", "youki")
    assert done.returncode == 1
    assert "OCI runtime" in done.stdout


def test_crun_is_the_runtime_where_the_machine_is_not_hybrid() -> None:
    done = check(before="umount /sys/fs/cgroup/unified 2>/dev/null")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("OCI runtime")]
    assert row.split()[3] == "crun"
    assert "legacy" in done.stdout


def test_each_hierarchy_has_a_runtime() -> None:
    done = check(before="umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unified" in done.stdout
