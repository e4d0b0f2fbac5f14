"""The two kinds of client that share one socket."""

from __future__ import annotations

from enum import Enum

from apiserver.errors import EngineError


class Flavour(Enum):
    """Whose words a request speaks: it is libpod if its first path segment after the version is `libpod`."""

    DOCKER = "docker"
    LIBPOD = "libpod"

    def words(self, error: BaseException) -> str:
        """What `error` says to a client of this flavour."""
        if isinstance(error, EngineError):
            template = error.docker if self is Flavour.DOCKER else error.libpod
            return template.format(subject=error.subject, cause=error.cause)
        return str(error) or type(error).__name__
