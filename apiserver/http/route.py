"""One route of a group, and what has routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct


class Route(Struct, frozen=True):
    """One registration.

    Attributes:
        path: as in the code, without a version: `/containers/<name:name>/json`.
        methods: upper case; empty for any.
        endpoint: the handler's name in its app.
        versions: lowest and highest major version, or None for all.
        query: name that the query must have, or None.
        prefix: whether everything below the path matches, too.
    """

    path: str
    methods: tuple[str, ...]
    endpoint: str
    versions: tuple[int, int] | None = None
    query: str | None = None
    prefix: bool = False


class Routed(Protocol):
    """A group's app (`group_app`)."""

    @property
    def routes(self) -> Sequence[Route]: ...

    def execute_endpoint(self, endpoint: str, *args: Any, **kwargs: Any) -> Any:
        """Call the handler of this name."""
        ...
