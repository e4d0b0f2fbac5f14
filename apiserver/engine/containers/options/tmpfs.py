"""The options that a tmpfs may have: what is not on this list could mean anything to the kernel."""

from __future__ import annotations

import re
from collections.abc import Mapping

from apiserver.errors import InvalidParameter

NOTHING = "defaults"
"""It is taken and says nothing: as moby has it, no runtime sees it."""
# What moby has (pkg/mount, MergeTmpfsOptions), without what makes no new mount of it. Of each group one counts.
_GROUPS = (
    (NOTHING,),
    ("ro", "rw"),
    ("exec", "noexec"),
    ("suid", "nosuid"),
    ("dev", "nodev"),
    ("sync", "async"),
    ("dirsync",),
    ("atime", "noatime"),
    ("diratime", "nodiratime"),
    ("relatime", "norelatime"),
    ("strictatime", "nostrictatime"),
    ("mand", "nomand"),
    ("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"),
    ("tmpcopyup",),  # the runtime fills it with what the image has there
)
_GROUP_OF: Mapping[str, str] = {flag: group[0] for group in _GROUPS for flag in group}
_NODES = r":\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*"
_MODES = r"=(static|relative)"
_VALUES: Mapping[str, re.Pattern[str]] = {
    "size": re.compile(r"(?P<number>\d{1,15})(?P<unit>[kmgKMG]?)|\d{1,15}%", re.ASCII),
    "mode": re.compile(r"[0-7]{1,5}", re.ASCII),
    "uid": re.compile(r"(?P<id>\d{1,10})", re.ASCII),
    "gid": re.compile(r"(?P<id>\d{1,10})", re.ASCII),
    "nr_inodes": re.compile(r"(?P<number>\d{1,15})(?P<unit>[kmgKMG]?)", re.ASCII),
    "nr_blocks": re.compile(r"(?P<number>\d{1,15})(?P<unit>[kmgKMG]?)", re.ASCII),
    # mm/mempolicy.c, mpol_parse_str: some take no nodes, and one has to have some.
    "mpol": re.compile(rf"default|local|bind({_MODES})?{_NODES}|(prefer|interleave)({_MODES})?({_NODES})?", re.ASCII),
}
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}
_MOST = {"size": 1 << 63, "nr_inodes": 1 << 54, "nr_blocks": 1 << 63}
_HIGHEST_ID = (1 << 32) - 2


def kind_of(option: str) -> str:
    """What an option sets: of two with the same kind the later one counts.

    Raises:
        InvalidParameter: it is not on the list, or its value cannot be.
    """
    name, equals, value = option.partition("=")
    if not equals and name in _GROUP_OF:
        return _GROUP_OF[name]
    if not equals or name not in _VALUES or not _can_be(name, value):
        raise InvalidParameter(f"invalid tmpfs option {option!r}")
    return name


def _can_be(name: str, value: str) -> bool:
    found = _VALUES[name].fullmatch(value)
    if found is None:
        return False
    parts = found.groupdict()
    if parts.get("id") is not None:
        return int(parts["id"]) <= _HIGHEST_ID
    if parts.get("number") is not None:
        return int(parts["number"]) << _UNITS[parts["unit"].lower()] < _MOST[name]
    return True
