"""Paths inside a container to mount something at."""

from __future__ import annotations

import posixpath

from apiserver.errors import InvalidParameter


def clean_target(kind: str, path: str, before: str = "") -> str:
    """An absolute path without `..`, `.` and a slash at its end: `/data/` is `/data`.

    Args:
        kind: of the mount, for the words of the error.
        before: what the message begins with: the field, or the short form.

    Raises:
        InvalidParameter: in Docker's words.
    """
    what = f'{before}invalid mount config for type "{kind}": '
    if not path:
        raise InvalidParameter(what + "field Target must not be empty")
    if not path.startswith("/"):
        raise InvalidParameter(what + f"invalid mount path: '{path}' mount path must be absolute")
    clean = "/" + posixpath.normpath(path).lstrip("/")
    if clean == "/":
        raise InvalidParameter(what + "invalid specification: destination can't be '/'")
    return clean
