"""Who goes on when the service dies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Guard(Protocol):
    """Outlives the service. Neither waits, nor fails: without it the next start of the service does the same work."""

    def keep(self, container_ids: Collection[str]) -> None:
        """What an earlier service has begun and not finished is just this."""

    def begin(self, container_id: str) -> None:
        """Something is about to be made or taken away for a container: who dies before `done` has it finished."""

    def attend(self) -> None:
        """Containers run that it is to watch: one that was killed meanwhile is replaced."""

    def done(self, container_id: str) -> None:
        """All is as the state says. Idempotent."""
