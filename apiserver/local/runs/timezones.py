"""The time zone that a container is told of: a copy of the host's file."""

from __future__ import annotations

from pathlib import Path

from apiserver.errors import InvalidParameter
from apiserver.local.runs.netfiles import read_host_file

TARGET = "/etc/localtime"
LOCAL = "local"
_ZONES = Path("/usr/share/zoneinfo")
_MAGIC = "TZif"


def read(zone: str) -> str:
    """The bytes of a zone's file, as text with surrogates; `local` is the host's own zone.

    Raises:
        InvalidParameter: there is no such zone on this host.
    """
    path = Path(TARGET) if zone == LOCAL else _ZONES / zone
    text = read_host_file(path) if path.is_file() else ""
    if not text.startswith(_MAGIC):
        raise InvalidParameter(f"finding timezone: {zone}: no such file {path} that describes one")
    return text
