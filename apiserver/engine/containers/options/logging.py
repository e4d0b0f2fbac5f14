"""Where a container's output is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

DEFAULT_MAX_SIZE = 20_000_000
"""Bytes after which conmon begins the log anew, where the client names no size."""


class LogDriver(Enum):
    K8S_FILE = "k8s-file"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Logging:
    driver: LogDriver = LogDriver.K8S_FILE
    asked_as: str = ""
    """The driver's name as the client wrote it (`json-file`); empty: it named none."""
    max_size_bytes: int = DEFAULT_MAX_SIZE
    """-1: unbounded."""
    options: Mapping[str, str] = field(default_factory=dict)
    """As given, for inspect."""
