"""What is recorded against what is there, at the start of a daemon or of `apiserver reconcile`."""

from __future__ import annotations


class Reconcile:
    async def run(self) -> None:
        """To be awaited before anything is served."""
        raise NotImplementedError
