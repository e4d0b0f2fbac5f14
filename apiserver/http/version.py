"""The versions of the two APIs: what we announce, what a path asks for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from apiserver.errors import InvalidParameter

API_VERSION = "1.51"
"""Announced, and the shape of an answer to a path without a version."""

MIN_API_VERSION = "1.24"
NEWEST = "1.56"
"""The newest Docker version that a path may name."""

LIBPOD_API_VERSION = "6.0.0"

_NUMBERS = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.[0-9]+)*(?:[-+][0-9A-Za-z.-]+)?", re.ASCII)


class Version(NamedTuple):
    """A version in order: `Version.parse("1.9") < Version.parse("1.44")`; `4` and `4.0` are `4.0.0`."""

    major: int
    minor: int = 0
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `4`, `1.44`, `5.0.0` or `6.0.0-dev`; a suffix is left out.

        Raises:
            InvalidParameter: it does not start with a number.
        """
        return _parsed(text)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" + (f".{self.patch}" if self.patch or self.major != 1 else "")


@lru_cache(maxsize=256)
def _parsed(text: str) -> Version:
    match = _NUMBERS.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        raise InvalidParameter(f"invalid API version {text[:64]!r}")
    return Version(*(int(number or 0) for number in match.groups()))


DEFAULT = Version.parse(API_VERSION)
MINIMUM = Version.parse(MIN_API_VERSION)
LIBPOD = Version.parse(LIBPOD_API_VERSION)
_NEWEST = Version.parse(NEWEST)


def check_docker_version(version: Version, text: str) -> None:
    """Refuse what we do not serve, in the Docker Engine's words (daemon/server/middleware/version.go).

    Raises:
        InvalidParameter: older than `MIN_API_VERSION` or newer than `NEWEST`; `text` is what the path said.
    """
    if version < MINIMUM:
        raise InvalidParameter(
            f"client version {text} is too old. Minimum supported API version is {MIN_API_VERSION}, "
            "please upgrade your client to a newer version"
        )
    if version > _NEWEST:
        raise InvalidParameter(f"client version {text} is too new. Maximum supported API version is {NEWEST}")
