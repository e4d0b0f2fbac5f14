"""The programs that we drive: where they are, of which version, and which runtime is the right one here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from apiserver.config.host.cgroups import CgroupMode

SEARCH_PATH = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/usr/libexec/podman",
    "/usr/lib/podman",
)
"""Where programs are looked for: /usr/sbin is missing in some users' PATH, the last two hold the helpers."""

PACKAGES = {
    "conmon": "conmon",
    "crun": "crun",
    "runc": "runc",
    "netavark": "netavark",
    "aardvark-dns": "aardvark-dns",
    "skopeo": "skopeo",
    "buildah": "buildah",
    "catatonit": "catatonit",
    "criu": "criu",
    "nft": "nftables",
    "iptables": "iptables",
    "tar": "tar",
    "unshare": "util-linux",
}
"""Program -> the Debian package that has it."""

RUNTIMES = ("crun", "runc")

_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?(?:[-+~.][0-9A-Za-z.+~-]*)?")


def which(program: str, search_path: Sequence[str] = SEARCH_PATH) -> Path | None:
    """The path of a program named alone or by path; None when there is none that can be executed."""
    places = [program] if "/" in program else [f"{directory}/{program}" for directory in search_path]
    for place in places:
        if os.access(place, os.X_OK) and os.path.isfile(place):
            return Path(place)
    return None


def unusable_runtimes(
    mode: CgroupMode, unified_controllers: frozenset[str], *, may_lock_memory: bool
) -> Mapping[str, str]:
    """Name -> why it cannot run containers on this machine."""
    if mode is CgroupMode.HYBRID and unified_controllers:
        return {"crun": "it refuses cgroup v1 beside a v2 with controllers"}
    if mode is CgroupMode.UNIFIED and not may_lock_memory:
        # Its filter of devices begins with setrlimit(RLIMIT_MEMLOCK, infinity), whatever the kernel wants.
        return {"crun": "on cgroup v2 it wants to lock unlimited memory, which this service may not"}
    return {}


def choose_runtime(
    runtimes: Mapping[str, Path], unusable: Mapping[str, str], configured: str | None = None
) -> str | None:
    """The name of the runtime for new containers; None when none of them works here.

    What is configured, else crun, else runc.
    """
    if configured is not None:
        return configured if configured in runtimes else None
    return next((name for name in ("crun", "runc") if name in runtimes and name not in unusable), None)


def parse_version(output: str) -> str | None:
    """`1.8.1` of `crun version 1.8.1\\ncommit: ...`; `1.8.9` of `iptables v1.8.9 (nf_tables)`."""
    found = _VERSION.search(output)
    return found[0].rstrip(".-+~") if found else None


def version_numbers(version: str) -> tuple[int, ...]:
    """(1, 1, 5) of `1.1.5+ds1`: what can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0].split("~")[0])[:3])


class VersionCache:
    """Versions by the identity of the file: asking a program takes 5 to 20 ms, so it is done once per update.

    Args:
        file: in the run root; it may be missing or broken.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, str] = {}
        try:
            known = json.loads(file.read_bytes())
        except (OSError, ValueError):
            return  # only a cache: it is written anew
        if isinstance(known, dict):
            self._known = {str(key): str(value) for key, value in known.items()}

    def get(self, program: Path) -> str | None:
        """What this very file said; "" when it said nothing, None when it was not asked."""
        key = _identity(program)
        return None if key is None else self._known.get(key)

    def put(self, versions: Mapping[Path, str]) -> None:
        """Keep what programs said, also for the next start."""
        self._known |= {key: version for path, version in versions.items() if (key := _identity(path))}
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        part.write_text(json.dumps(self._known))
        part.replace(self._file)


def _identity(program: Path) -> str | None:
    try:
        status = program.stat()
    except OSError:
        return None
    return f"{program} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
