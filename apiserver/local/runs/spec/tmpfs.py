"""The options of a tmpfs, from a list: what is not on it could mean anything to the kernel."""

from __future__ import annotations

import re

from apiserver.engine.containers.options.mounts import Mount
from apiserver.errors import InvalidParameter

# Each pair excludes the other; the left one is Docker's default.
_PAIRS = (
    ("noexec", "exec"),
    ("nosuid", "suid"),
    ("nodev", "dev"),
    ("rw", "ro"),
    ("", "noatime"),
    ("", "nodiratime"),
    ("", "relatime"),
    ("", "strictatime"),
    ("", "sync"),
    ("", "async"),
    ("", "atime"),
    ("", "norelatime"),
    ("", "nostrictatime"),
    ("", "diratime"),
    ("", "mand"),
    ("", "nomand"),
    ("", "tmpcopyup"),  # the runtime fills it with what the image has there
)
_OPPOSITE = {b: a for a, b in _PAIRS if a} | {a: b for a, b in _PAIRS if a}
_FLAGS = {flag for pair in _PAIRS for flag in pair if flag}
_VALUES = {
    "size": re.compile(r"[0-9]+[kmgKMG%]?"),
    "mode": re.compile(r"[0-7]{1,5}"),
    "uid": re.compile(r"[0-9]{1,9}"),
    "gid": re.compile(r"[0-9]{1,9}"),
    "nr_inodes": re.compile(r"[0-9]+[kmgKMG]?"),
    "nr_blocks": re.compile(r"[0-9]+[kmgKMG]?"),
}


def tmpfs_options(mount: Mount) -> tuple[str, ...]:
    """The mount options of a tmpfs.

    Raises:
        InvalidParameter: an option that is not on the list, or a value that cannot be.
    """
    options = dict.fromkeys(pair[0] for pair in _PAIRS if pair[0])
    for option in mount.tmpfs_options:
        name, equals, value = option.partition("=")
        if equals and name in _VALUES and _VALUES[name].fullmatch(value):
            options = {o: None for o in options if not o.startswith(f"{name}=")}
        elif not equals and name in _FLAGS:
            options.pop(_OPPOSITE.get(name, ""), None)
        else:
            raise InvalidParameter(f"invalid tmpfs option {option!r} for {mount.target}")
        options[option] = None
    if mount.read_only:
        options.pop("rw", None)
        options["ro"] = None
    if mount.tmpfs_size_bytes is not None and mount.tmpfs_size_bytes > 0:
        options[f"size={mount.tmpfs_size_bytes}"] = None
    if mount.tmpfs_mode is not None:
        options[f"mode={mount.tmpfs_mode:o}"] = None
    return tuple(options)
