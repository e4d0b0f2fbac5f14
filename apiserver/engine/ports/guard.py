"""Who goes on when the service dies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

BRIDGES = "bridges"
"""What is begun, beside what is for a container: bridges stand, and nobody is on them."""


class Guard(Protocol):
    """Outlives the service. Neither waits, nor fails: without it the next start of the service does the same work."""

    def keep(self, container_ids: Collection[str]) -> None:
        """What an earlier service has begun for containers and not finished is just this."""

    def begin(self, what: str) -> None:
        """Something is about to be made or taken away: who dies before `done` has it finished.

        Args:
            what: the container's id that it is for, or `BRIDGES`.
        """

    def attend(self) -> None:
        """Containers run that it is to watch: one that was killed meanwhile is replaced."""

    def done(self, what: str) -> None:
        """All is as the state says. Idempotent."""
