"""How what blocks leaves the reactor's thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class InThread(Protocol):
    """`deferToThreadPool` with reactor and pool filled in; a test calls the work at once."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...
