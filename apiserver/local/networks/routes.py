"""Which IPv4 subnets this machine uses already, as the kernel's routing table tells."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

from apiserver.errors import HostError

ROUTES = Path("/proc/net/route")
_CANDIDATES = tuple(IPv4Network(f"10.{number}.0.0/16") for number in range(89, 256))


class NoSubnetFree(HostError):
    cause = "no subnet is free"


def used_subnets(table: str) -> Sequence[IPv4Network]:
    """The destinations in the text of /proc/net/route, without the default route."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[n]), "little") for n in (1, 7))
        if mask:
            found.append(IPv4Network((destination, mask.bit_count())))
    return found


def free_subnet(used: Sequence[IPv4Network]) -> IPv4Network:
    """The first /16 from 10.89 on that overlaps none of those used.

    Raises:
        NoSubnetFree
    """
    for candidate in _CANDIDATES:
        if not any(candidate.overlaps(other) for other in used):
            return candidate
    raise NoSubnetFree(f"{_CANDIDATES[0]} to {_CANDIDATES[-1]}")
