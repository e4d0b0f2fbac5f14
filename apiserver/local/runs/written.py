"""How much a container has written into its own layer."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from apiserver.drivers.linux.tree_size import tree_bytes
from apiserver.drivers.threads import Threads
from apiserver.errors import HostError


async def written_bytes(threads: Threads, upper: Path) -> int:
    """Count in a thread, which ends soon after this is cancelled.

    Raises:
        HostError
    """
    given_up = Event()
    try:
        return await threads.run(tree_bytes, upper, given_up.is_set)
    except OSError as error:
        raise HostError(f"the size of {upper} cannot be told: {error}") from error
    finally:
        given_up.set()
