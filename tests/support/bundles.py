"""OCI bundles around a static busybox, for tests of the drivers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apiserver.drivers.conmon.argv import CreateOptions

BUSYBOX = Path("/usr/bin/busybox")
CAPABILITIES = ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID"]


def make_rootfs(root: Path) -> Path:
    """A root with busybox and its applets as links in /bin."""
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    for applet in ("sh", "cat", "echo", "true", "sleep", "stty", "ls", "head", "wc", "id", "dd", "printf"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "bin/plain").write_text("not executable\n")
    (root / "bin/plain").chmod(0o644)
    return root


def process(args: Sequence[str], *, terminal: bool = False, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """An OCI process object."""
    return {
        "terminal": terminal,
        "user": {"uid": 0, "gid": 0},
        "args": list(args),
        "env": ["PATH=/bin", *(f"{key}={value}" for key, value in (env or {}).items())],
        "cwd": "/",
        "noNewPrivileges": True,
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES),
    }


def config(
    rootfs: Path, args: Sequence[str], *, terminal: bool = False, cgroup: str | None = None, **linux: Any
) -> dict[str, Any]:
    """An OCI configuration: namespaces of its own, no network, a /proc and a /dev."""
    return {
        "ociVersion": "1.0.2",
        "process": process(args, terminal=terminal),
        "root": {"path": str(rootfs), "readonly": False},
        "hostname": "test",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "gid=5"]},
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
            **({"cgroupsPath": cgroup} if cgroup else {}),
            **linux,
        },
    }


def make_bundle(
    place: Path, id: str, runtime: Path, spec: Mapping[str, Any], *, log: bool = False, **options: Any
) -> CreateOptions:
    """Directories and config.json below `place`, and what conmon is to be told."""
    paths = {name: place / id / name for name in ("bundle", "exits", "persist")} | {"state": place / "state"}
    for path in paths.values():
        path.mkdir(parents=True, exist_ok=True)
    (paths["bundle"] / "config.json").write_text(json.dumps(spec))
    return CreateOptions(
        id=id,
        name=id[:12],
        runtime=runtime,
        runtime_root=paths["state"] / os.path.basename(runtime),
        directory=paths["bundle"],
        exit_dir=paths["exits"],
        persist_dir=paths["persist"],
        terminal=bool(spec["process"]["terminal"]),
        log=f"k8s-file:{paths['bundle'] / 'ctr.log'}" if log else "none",
        **options,
    )
