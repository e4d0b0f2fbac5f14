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
    """Nothing was ever in it when a container was made: the first one whose image has something there fills it."""
    mountpoint: str = ""
    """An optional fact: where its files are on this machine."""
