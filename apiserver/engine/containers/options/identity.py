"""Who a container says it is: host name and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    hostname: str = ""
    """Empty: the first 12 digits of the id; the host's own with the host's UTS namespace."""
    domainname: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """After create: the image's labels below the client's."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Kept and shown; never given to the runtime as its own annotations."""
