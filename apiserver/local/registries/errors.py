"""What skopeo says a registry said, as a kind of failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from apiserver.drivers import skopeo
from apiserver.drivers.process import ProgramFailed
from apiserver.engine.ports.registry import Reference
from apiserver.errors import (
    EngineError,
    ImageVanished,
    InvalidParameter,
    NoSuchRemoteImage,
    RegistryDenies,
    RegistryError,
    RegistryFailed,
    RegistryForbids,
    RegistryRefused,
    RegistrySilent,
    RegistryUnreachable,
)
from apiserver.local.images.spool import NoRoom
from apiserver.local.registries.remote_manifest import BadManifest

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
    "invalid port",
)
_UNKNOWN = (
    "manifest unknown",
    "name unknown",
    "repository name not known to registry",
    "repository not found",
    "status 404",
    "StatusCode: 404",
    "404 (Not Found)",
    "not found",
)
_DENIED = ("denied", "status 403", "StatusCode: 403", "403 (Forbidden)", "forbidden")
_FORBIDDEN_HERE = ("is blocked", "is rejected by policy", "Source image rejected")
_UNAUTHORIZED = (
    "unauthorized",
    "invalid username/password",
    "authentication required",
    "status 401",
    "StatusCode: 401",
    "401 (Unauthorized)",
)
_KINDS = (
    (RegistryForbids, _FORBIDDEN_HERE),
    (RegistryDenies, _DENIED),
    (RegistryRefused, _UNAUTHORIZED),
    (RegistryUnreachable, _UNREACHABLE),
    (NoSuchRemoteImage, _UNKNOWN),
)
"""By the words for each; the first that has any said is it."""

_TOO_LARGE = "exceeded maximum allowed size of"


class NoSuchPort(RegistryError, InvalidParameter):
    """A reference, whose grammar takes any number for a port, has one above 65535."""

    cause = "invalid port"


_NOT_PARSING = re.compile(r'^Error parsing image name "(docker://[^"]*)": ')
_WITHOUT_CODE = re.compile(r"(?<!unauthorized: )authentication required$")
_WITH_CODE = "unauthorized: authentication required"
"""skopeo 1.18 leaves the registry's code out, 1.9 has it."""
_UNDER_WAY = re.compile(
    r"(?:Error listing repository tags: |fetching tags list: "
    r"|initializing source docker://\S+: |pinging container registry \S+: |reading manifest \S+ in \S+: "
    r"|trying to reuse blob \S+ at destination: |checking whether a blob \S+ exists in \S+: "
    r'|authenticating creds for "[^"]*": )+'
)
"""What skopeo, as Podman, was about to do; dockerd does not say it."""
_OF_MIRRORS = re.compile(r"\(Mirrors also failed: .*\]\): (?:\S+: )?", re.DOTALL)
"""What the mirrors said, and what the repository is called at its registry, before what that said itself."""
_VANISHED = re.compile(r"^committing the finished image: .*: (?:image|layer) not known$", re.DOTALL)
_LISTING = "Error listing repository tags: "
_NO_SUCH_REPOSITORY = "repository name not known to registry"
"""The registry's own words; skopeo 1.9 has no more than the status."""
_SAID_TWICE = re.compile(r": ([^:]+): \1$")
"""The code and the words of a registry that are the same: skopeo 1.9 has both, 1.18 and Podman once."""
_FILE = re.compile(r'storing blob to file "[^"]*": (?:happened during read: )?')


def registry_error(
    error: ProgramFailed, reference: Reference, temporary: Path, unmasked: Callable[[str], str] = lambda said: said
) -> EngineError:
    """The kind by skopeo's words, since its exit status is 1 for all on Debian 12.

    Where mirrors failed too, what the registry itself said counts, unless it was not there to say anything.

    Args:
        temporary: the private directory of the call, which is nobody else's business.
        unmasked: puts the registry's own name where skopeo knows another.
    """
    said = _NOT_PARSING.sub(r"initializing source \1: ", unmasked(skopeo.reason(error)))
    said = _FILE.sub("", said).replace(str(temporary), "a temporary directory")
    if "no space left on device" in said:
        return NoRoom(said.removesuffix(": no space left on device"))
    if _VANISHED.match(said):
        return ImageVanished(said)
    deciding = _OF_MIRRORS.sub("", said)
    kind = _kind(deciding, reference)
    if kind is RegistryUnreachable:
        deciding, kind = said, _kind(said, reference)
    to_docker = deciding[found.end() :] if (found := _UNDER_WAY.match(deciding)) else deciding
    said = _SAID_TWICE.sub(r": \1", said)
    if _TOO_LARGE in deciding:
        return BadManifest(said)
    if kind is RegistryRefused:
        said, to_docker = (_WITHOUT_CODE.sub(_WITH_CODE, words) for words in (said, to_docker))
    if kind is NoSuchRemoteImage:
        name = reference.tagged().familiar
        to_docker = f"manifest for {name} not found: manifest unknown: {last_words(said)}"
        if said.startswith(_LISTING):
            to_docker = f"repository {reference.familiar} not found: name unknown: {_NO_SUCH_REPOSITORY}"
    if kind is RegistryUnreachable and f"address {reference.domain.rpartition(':')[2]}: invalid port" in deciding:
        return NoSuchPort(said, to_docker)
    return kind(said, to_docker)


def _kind(said: str, reference: Reference) -> type[RegistryError]:
    bare = said.replace(reference.repository, "")  # a name may hold any of the words
    return next((kind for kind, words in _KINDS if any(each in bare for each in words)), RegistryFailed)


def silence(error: ProgramFailed | None, reference: Reference, seconds: float) -> RegistryFailed | RegistrySilent:
    """What it was that skopeo was killed over.

    Args:
        error: how it ended.
        seconds: for which nothing moved.
    """
    if error is not None and skopeo.is_throttled(error):
        return RegistryFailed(f"toomanyrequests: {reference.domain} answers 429 Too Many Requests for {seconds:g} s")
    return RegistrySilent(f"{reference.domain} sent nothing for {seconds:g} s")


def last_words(said: str) -> str:
    return said.rpartition(": ")[2]
