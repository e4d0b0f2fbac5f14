"""Kernel calls that may take long, kept off the reactor's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.internet.threads import deferToThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """The reactor's pool of threads.

    For unmounting (an overlay writes its upper file system back), moving a process between cgroups (the kernel waits
    5 ms and more for all processors), removing trees. Never for what waits for a client or for a process to end.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it in a thread; its exception is raised here. Cancelling does not stop it."""
        result: T = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function, *args, **kwargs)
        return result
