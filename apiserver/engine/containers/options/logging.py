"""Where a container's output is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from msgspec import Struct, field
from msgspec.structs import replace

from apiserver.errors import InvalidParameter

DEFAULT_MAX_SIZE = 20_000_000
"""Bytes after which conmon begins the log anew, where the client names no size."""


class LogDriver(Enum):
    K8S_FILE = "k8s-file"
    NONE = "none"


class Logging(Struct, frozen=True):
    driver: LogDriver = LogDriver.K8S_FILE
    asked_as: str = ""
    """The driver's name as the client wrote it (`json-file`); empty: it named none."""
    max_size_bytes: int = DEFAULT_MAX_SIZE
    """-1: unbounded."""
    options: Mapping[str, str] = field(default_factory=dict)
    """As given, for inspect."""


_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?(?:([kmgt])b?|b)?", re.ASCII | re.IGNORECASE)
# Docker reads this size in decimal units, other than those of memory.
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNLIMITED = "-1"


def validated(logging: Logging) -> Logging:
    """With `max-size` read from the driver's options, which are those of Docker's json-file.

    Raises:
        InvalidParameter
    """
    for key, value in logging.options.items():
        if logging.driver is LogDriver.NONE:
            raise InvalidParameter(f"unknown log opt '{key}' for none log driver")
        if key == "max-size":
            logging = replace(logging, max_size_bytes=_size(value))
        elif key == "max-file":
            if not (value.isascii() and value.isdecimal() and int(value[:10]) > 0):
                raise InvalidParameter(f"LogConfig.Config: log opt max-file: {value!r} is no positive number")
        elif key not in ("tag", "labels", "labels-regex", "env", "env-regex", "compress", "mode"):
            raise InvalidParameter(f"unknown log opt '{key}' for {logging.asked_as or logging.driver.value} log driver")
    return logging


def _size(text: str) -> int:
    if text == _UNLIMITED:
        return -1
    match = _SIZE.fullmatch(text)
    size = int(float(match[1]) * _UNITS[(match[2] or "").lower()]) if match else 0
    if not 0 < size < 1 << 62:
        raise InvalidParameter(f"LogConfig.Config: log opt max-size: {text!r} is no size")
    return size
