"""The options with which a tmpfs is mounted."""

from __future__ import annotations

from apiserver.engine.containers.options.mounts import Mount
from apiserver.engine.containers.options.tmpfs import NOTHING, kind_of

_DEFAULTS = ("noexec", "nosuid", "nodev", "rw")


def tmpfs_options(mount: Mount) -> tuple[str, ...]:
    """The mount options of a tmpfs.

    Raises:
        InvalidParameter: an option that is not on the list, or a value that cannot be.
    """
    options = {kind_of(option): option for option in _DEFAULTS}
    for option in mount.tmpfs_options:
        kind = kind_of(option)
        options.pop(kind, None)
        options[kind] = option
    options.pop(kind_of(NOTHING), None)
    chosen = dict.fromkeys(options.values())
    if mount.read_only:
        chosen.pop("rw", None)
        chosen["ro"] = None
    if mount.tmpfs_size_bytes is not None and mount.tmpfs_size_bytes > 0:
        chosen[f"size={mount.tmpfs_size_bytes}"] = None
    if mount.tmpfs_mode is not None:
        chosen[f"mode={mount.tmpfs_mode:o}"] = None
    return tuple(chosen)
