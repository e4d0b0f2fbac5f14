"""Which package of the distribution a program is from, by dpkg's own records: Podman asks dpkg, which takes 80 ms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from apiserver.config.host.programs import PACKAGES

DPKG = Path("/var/lib/dpkg")


def packages(programs: Mapping[str, Path], dpkg: Path = DPKG) -> dict[str, str]:
    """Program -> `PACKAGE_VERSION_ARCHITECTURE`, of those that dpkg has installed where they are; blocks.

    Args:
        programs: name -> path.

    Raises:
        OSError: the records cannot be read.
    """
    try:
        status = (dpkg / "status").read_text(errors="replace")
    except FileNotFoundError:
        return {}  # another distribution
    found = {}
    for name, path in programs.items():
        package = PACKAGES.get(name, name)
        if _has(dpkg, package, path) and (fields := _fields(status, package)):
            found[name] = "_".join((package, *fields))
    return found


def _has(dpkg: Path, package: str, path: Path) -> bool:
    lists = (dpkg / "info" / f"{package}.list", *(dpkg / "info").glob(f"{package}:*.list"))
    return any(f"{path}\n" in each.read_text(errors="replace") for each in lists if each.exists())


def _fields(status: str, package: str) -> tuple[str, str] | None:
    begun = re.search(rf"^Package: {re.escape(package)}$", status, re.MULTILINE)
    if begun is None:
        return None
    stanza = status[begun.end() :].partition("\n\n")[0]
    version, architecture = (
        re.search(rf"^{field}: (\S+)$", stanza, re.MULTILINE) for field in ("Version", "Architecture")
    )
    return (version[1], architecture[1]) if version and architecture else None
