"""To a server that may have several addresses, within one limit for all of them, as Go's dialler has it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

CONNECT_LIMIT = 30.0
"""Seconds until a server is reached, wherever it is looked for: longer than that nobody may hear nothing of skopeo."""

_LEAST = 2.0
"""Seconds for a single try, as long as there are that many."""

Place = TypeVar("Place")
Reached = TypeVar("Reached")


def first_reached(
    places: Sequence[Place],
    limit: float,
    attempt: Callable[[Place, float], Reached],
    failure: type[Exception] = OSError,
    now: Callable[[], float] = time.monotonic,
) -> Reached:
    """What comes of the first place where an attempt does not fail.

    Args:
        limit: seconds for all; each place has its share of those that are left (`partialDeadline` of Go's net/dial.go).
        attempt: gets a place, and the seconds that it may take.

    Raises:
        failure: of the last attempt.
    """
    end = now() + limit
    failed: Exception = TimeoutError()
    for number, place in enumerate(places):
        left = end - now()
        if left <= 0:
            break
        try:
            return attempt(place, max(left / (len(places) - number), min(left, _LEAST)))
        except failure as error:
            failed = error
    raise failed


def dial(address: tuple[str, int], limit: float, _: object = None) -> socket.socket:
    """As `socket.create_connection`, but that the limit is for the name, all its addresses and what comes after it.

    Raises:
        OSError
    """
    end = time.monotonic() + limit
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    connected = first_reached(found, end - time.monotonic(), _connected)
    connected.settimeout(max(end - time.monotonic(), _LEAST))
    return connected


def _connected(found: tuple[Any, ...], limit: float) -> socket.socket:
    family, kind, protocol, _, address = found
    made = socket.socket(family, kind, protocol)
    try:
        made.settimeout(limit)
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made
