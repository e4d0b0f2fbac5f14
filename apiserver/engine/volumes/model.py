"""What a volume is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field


class Volume(Struct, frozen=True):
    name: str
    created: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    driver: str = "local"
    anonymous: bool = False
    needs_copy_up: bool = False
    """No container was ever started with it: the first one fills it with what its image has there."""
    mountpoint: str = ""
    """An optional fact: where its files are on this machine."""
