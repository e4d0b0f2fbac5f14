"""How much a container has written into its own layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

from apiserver.drivers.linux.tree_size import tree_bytes
from apiserver.drivers.threads import Threads
from apiserver.errors import HostError
from apiserver.local.runs.layer_files import bytes_of_mtab


def _count(upper: Path, given_up: Callable[[], bool]) -> int:
    """Without the link of ours, of which nothing but its length counts."""
    size = tree_bytes(upper, given_up)
    return max(0, size - bytes_of_mtab(upper)) if size else 0


async def written_bytes(threads: Threads, upper: Path) -> int:
    """Count in a thread, which ends soon after this is cancelled.

    Raises:
        HostError
    """
    given_up = Event()
    try:
        return await threads.run(_count, upper, given_up.is_set)
    except OSError as error:
        raise HostError(f"the size of {upper} cannot be told: {error}") from error
    finally:
        given_up.set()
