"""The directory that a container's first process starts in."""

from __future__ import annotations

import os

from apiserver.errors import InvalidParameter
from apiserver.local.runs.spec import process
from apiserver.local.runs.view import View, is_within

_DESCRIPTORS = "/dev/fd"
"""The runtime makes it a link to /proc/self/fd."""


def settle_working_dir(view: View, cwd: str, *, missing: str = "") -> None:
    """Make the working directory where there is none: in the root, or in the bind or volume that it lies in.

    Args:
        missing: the refusal where there is none; empty: it is made.

    Raises:
        InvalidParameter: a file is there, or links lead into /proc; or `missing`.
    """
    try:
        place = view.find(cwd)
    except OSError as error:
        raise InvalidParameter(f"invalid working directory: {cwd!r}: {error.strerror}") from error
    if place.mount is not None and place.mount.ours and is_within(place.path, _DESCRIPTORS):
        process.refuse_proc("/proc/self/fd", cwd)
    process.refuse_proc(place.path, cwd)
    if place.mount is not None and not place.mount.is_bind:
        return  # what is in there the kernel makes, or the runtime
    root = view.directory(place.mount) if place.mount is not None else view.root
    if root is None:
        raise InvalidParameter(f"the working directory {cwd!r} is not a directory")
    try:
        os.close(root.open(place.rest, os.O_PATH | os.O_DIRECTORY) if missing else root.make_directories(place.rest))
    except FileNotFoundError as error:
        raise InvalidParameter(missing or f"Cannot mkdir: {cwd}: {error.strerror}") from error
    except NotADirectoryError as error:
        raise InvalidParameter(f"Cannot mkdir: {cwd} is not a directory") from error
    except OSError:
        return  # a read-only volume, for example: the runtime says what is wrong with it
