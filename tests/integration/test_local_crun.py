"""The same tests once more with crun: in a mount namespace without the v2 tree that it refuses beside v1."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from apiserver.config.host import CgroupMode, read_host

HERE = Path(__file__).parent
FILES = ("test_local_runs.py", "test_local_options.py", "test_local_streams.py", "test_local_logs.py")
IN_PRIVATE = 'mount --make-rprivate / && umount /sys/fs/cgroup/unified && exec "$@"'


@pytest.mark.long
@pytest.mark.timeout(600)
def test_all_of_it_works_with_crun() -> None:
    host = read_host()
    if host.default_runtime == "crun":
        return  # the tests themselves ran with it
    assert host.cgroup_mode is CgroupMode.HYBRID
    files = [str(HERE / name) for name in FILES]
    pytest_line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "60", *files]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", IN_PRIVATE, "sh", *pytest_line],
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
