"""A push as Podman's clients ask for it, and the records that they read."""

from __future__ import annotations

from collections.abc import Iterator

from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import PushFormat, RemoteManifest
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject

_WITH_DIGEST = (4, 4)
_MANIFESTS = {"": "", "oci": "oci", "v2s1": "v2s1", "v2s2": "v2s2", "docker": "v2s2"}
_COMPRESSIONS = frozenset({"", "gzip", "zstd"})

QUIET = "\n"
"""All that a quiet push says: clients read records until the end, and a JSON string is none."""


def push_format(
    manifest: str, compression: str, compression_level: int | None, *, remove_signatures: bool
) -> PushFormat:
    """
    Raises:
        InvalidParameter
    """
    if manifest not in _MANIFESTS:
        raise InvalidParameter(f"format: unknown format {manifest!r}: choose one of oci, v2s1, v2s2")
    if compression not in _COMPRESSIONS:
        raise InvalidParameter(f"compressionFormat: unknown compression {compression!r}: choose gzip or zstd")
    return PushFormat(_MANIFESTS[manifest], compression, compression_level, remove_signatures)


def failed_quietly(destination: str, reason: str) -> str:
    return f'pushing image "{destination}": {reason}'


def first_lines(image: Image) -> Iterator[JsonObject]:
    yield {"stream": "Getting image source signatures\n"}
    for layer in image.layers:
        yield {"stream": f"Copying blob {layer.diff_digest}\n"}


def last_lines(image: Image, manifest: RemoteManifest, version: tuple[int, ...]) -> Iterator[JsonObject]:
    """`version` is the client's: those before 4.4 take a digest for an error."""
    yield {"stream": f"Copying config sha256:{image.id}\n"}
    yield {"stream": "Writing manifest to image destination\n"}
    if version >= _WITH_DIGEST:
        yield {"manifestdigest": manifest.digest}
