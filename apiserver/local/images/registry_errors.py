"""What skopeo says a registry said, as a kind of failure."""

from __future__ import annotations

from apiserver.drivers import skopeo
from apiserver.drivers.process import ProgramFailed
from apiserver.engine.ports.registry import Reference
from apiserver.errors import (
    EngineError,
    NoSuchRemoteImage,
    RegistryFailed,
    RegistryForbids,
    RegistryRefused,
    RegistryUnreachable,
)
from apiserver.local.images.spool import NoRoom

_UNREACHABLE = (
    "connection refused",
    "no such host",
    "no route to host",
    "network is unreachable",
    "x509:",
    "tls:",
    "server gave HTTP response to HTTPS client",
    "i/o timeout",
    "server misbehaving",
)
_UNKNOWN = ("manifest unknown", "name unknown", "repository not found", "status 404", "not found")
_DENIED = ("denied", "status 403", "403 (Forbidden)", "forbidden", "is blocked")
_UNAUTHORIZED = (
    "unauthorized",
    "invalid username/password",
    "authentication required",
    "status 401",
    "401 (Unauthorized)",
)


def registry_error(error: ProgramFailed, reference: Reference) -> EngineError:
    """The kind by skopeo's words, since its exit status is 1 for all on Debian 12."""
    said = skopeo.reason(error)
    name, repository = reference.tagged().familiar, Reference(reference.domain, reference.path).familiar
    if "no space left on device" in said:
        return NoRoom(said.removesuffix(": no space left on device"))
    bare = said.replace(reference.repository, "")  # a name may hold any of the words
    if any(word in bare for word in _DENIED):
        words = f"pull access denied for {repository}, repository does not exist or may require 'docker login': "
        return RegistryForbids(said, words + f"denied: {_last(said)}")
    if any(word in bare for word in _UNAUTHORIZED):
        return RegistryRefused(said)
    if any(word in bare for word in _UNREACHABLE):
        return RegistryUnreachable(said)
    if any(word in bare for word in _UNKNOWN):
        return NoSuchRemoteImage(said, f"manifest for {name} not found: manifest unknown: {_last(said)}")
    return RegistryFailed(said)


def _last(said: str) -> str:
    return said.rpartition(": ")[2]
