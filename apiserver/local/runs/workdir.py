"""The directory that a container's first process starts in."""

from __future__ import annotations

import os

from apiserver.drivers.linux.openat2 import Inside
from apiserver.errors import InvalidParameter
from apiserver.local.runs.spec import process
from apiserver.local.runs.view import Place, View, is_within

_DESCRIPTORS = "/dev/fd"
"""The runtime makes it a link to /proc/self/fd."""


def settle_working_dir(view: View, cwd: str, *, missing: str = "") -> None:
    """Make the working directory where there is none in the container's root.

    In what is mounted there the runtime makes it, if it may write there: links in there are not ours to follow.

    Args:
        missing: the refusal where there is none; empty: it is made.

    Raises:
        InvalidParameter: a file is there, or links lead into /proc; it is missing in a read-only mount; or `missing`.
    """
    try:
        place = view.find(cwd)
        read_only = _read_only_source(view, place)
    except OSError as error:
        raise InvalidParameter(f"invalid working directory: {cwd!r}: {error.strerror}") from error
    if place.mount is not None and place.mount.ours and is_within(place.path, _DESCRIPTORS):
        process.refuse_proc("/proc/self/fd", cwd)
    process.refuse_proc(place.path, cwd)
    if place.mount is None:
        _settle_in(view.root, place.path, cwd, missing=missing)
    elif read_only is not None:
        # crun 1.8.1 makes it before the mount is read-only.
        _settle_in(read_only, place.rest, cwd, missing=f"mkdir {cwd}: read-only file system")


def _read_only_source(view: View, place: Place) -> Inside | None:
    if place.mount is None or not place.mount.is_bind or not place.mount.read_only:
        return None
    return view.directory(place.mount)


def _settle_in(root: Inside, path: str, cwd: str, *, missing: str) -> None:
    try:
        os.close(root.open(path, os.O_PATH | os.O_DIRECTORY) if missing else root.make_directories(path))
    except FileNotFoundError as error:
        raise InvalidParameter(missing or f"Cannot mkdir: {cwd}: {error.strerror}") from error
    except NotADirectoryError as error:
        raise InvalidParameter(f"Cannot mkdir: {cwd} is not a directory") from error
    except OSError as error:
        raise InvalidParameter(f"Cannot mkdir: {cwd}: {error.strerror}") from error
