"""What a registry says an image is: its manifest is read once, and whatever could be read two ways is refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from apiserver.engine.ports.registry import Platform, RemoteBlob, RemoteImage
from apiserver.errors import InvalidParameter

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LISTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


class Descriptor(Struct, frozen=True, rename="camel"):
    digest: str
    media_type: str = ""
    size: int = 0
    urls: list[str] | None = None
    platform: dict[str, Any] | None = None


class Manifest(Struct, frozen=True, rename="camel"):
    """Either form: `manifests` is a list's, `config` and `layers` an image's."""

    schema_version: int
    media_type: str = ""
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None
    fs_layers: Any = None


_decode = msgspec.json.Decoder(Manifest).decode

_KEYS = (
    *("schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "history", "signatures"),
    *("digest", "size", "urls", "platform", "os", "architecture", "variant"),
)
_SPELLED = {key.casefold(): key for key in _KEYS}


class BadManifest(InvalidParameter):
    cause = "invalid manifest"
    docker = libpod = "{cause}: {subject}"


class NoFittingImage(InvalidParameter):
    """A list has nothing for this platform."""

    cause = "no image for this platform"
    docker = "no matching manifest for {subject} in the manifest list entries"
    libpod = "no image found in manifest list for {subject}"


def read_manifest(data: bytes) -> Manifest:
    """
    Raises:
        BadManifest: it is none, or could be taken for two things at once (CVE-2021-41190).
    """
    try:
        manifest = _decode(data)
        _refuse_other_spellings(json.loads(data, object_pairs_hook=_each_once))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadManifest(f"it cannot be read: {error}") from error
    is_list, is_image = manifest.manifests is not None, manifest.layers is not None or manifest.config is not None
    if manifest.schema_version != 2 or manifest.fs_layers is not None:
        raise BadManifest("only schema version 2 is supported")
    if is_list == is_image:
        raise BadManifest("it is both an image and a list of images, or neither")
    if manifest.media_type and manifest.media_type not in (_LISTS if is_list else _IMAGES):
        raise BadManifest(f"its media type {manifest.media_type!r} is not that of its content")
    if is_image and (manifest.config is None or manifest.layers is None):
        raise BadManifest("it has no config or no layers")
    for each in (*(manifest.manifests or ()), *(manifest.layers or ()), *filter(None, (manifest.config,))):
        if not _DIGEST.fullmatch(each.digest):
            raise BadManifest(f"{each.digest[:80]!r} is not a digest")
        if each.size < 0:
            raise BadManifest(f"the size {each.size} is below 0")
    if any(each.urls for each in manifest.layers or ()):
        raise BadManifest("a layer lies outside of the registry")
    return manifest


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that is there twice, Go keeps what only the first has."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadManifest("a key is there twice")
    return found


def _refuse_other_spellings(manifest: Mapping[str, Any]) -> None:
    """Go, which skopeo is written in, takes `Urls` for `urls`.

    Args:
        manifest: of the right types, as far as keys are spelled as they should be.

    Raises:
        BadManifest
    """
    listed = [*(manifest.get("layers") or ()), *(manifest.get("manifests") or ())]
    described = [*listed, manifest.get("config") or {}]
    for part in (manifest, *described, *(each.get("platform") or {} for each in described)):
        for key in part:
            if _SPELLED.get(key.casefold(), key) != key:
                raise BadManifest(f"{key!r} could be taken for {_SPELLED[key.casefold()]!r}")


def digest_of(data: bytes, like: str = "") -> str:
    """By the algorithm of the digest `like`; by SHA-256 without one.

    Raises:
        BadManifest: of that algorithm there are no digests.
    """
    algorithm = like.partition(":")[0] or "sha256"
    if like and not _DIGEST.fullmatch(like):
        raise BadManifest(f"{like[:80]!r} is not a digest")
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def check_against(announced: Descriptor, data: bytes) -> None:
    """
    Raises:
        BadManifest: what was sent is not what its list announces.
    """
    if digest_of(data, announced.digest) != announced.digest:
        raise BadManifest(f"what was sent for {announced.digest} has another digest")
    if len(data) != announced.size:
        raise BadManifest(f"{announced.digest} has {len(data)} bytes, where {announced.size} were announced")


def fitting(manifest: Manifest, platforms: Sequence[Platform]) -> tuple[Descriptor, Platform]:
    """The first image of a list for the first platform that it has any for.

    Raises:
        NoFittingImage
    """
    for wanted in platforms:
        for each in manifest.manifests or ():
            has = each.platform or {}
            if wanted == Platform(*(has.get(key) or "" for key in ("os", "architecture", "variant"))):
                return each, wanted
    best = platforms[0]
    raise NoFittingImage("/".join(filter(None, (best.os, best.architecture, best.variant))))


def remote_image(digest: str, image_digest: str, manifest: Manifest, platform: Platform) -> RemoteImage:
    """What is to be fetched by the manifest of an image.

    Raises:
        BadManifest: it is a list.
    """
    config = manifest.config
    if config is None:
        raise BadManifest("a list of images names another list")
    layers = tuple(RemoteBlob(each.digest, each.size) for each in manifest.layers or ())
    return RemoteImage(digest, image_digest, layers, RemoteBlob(config.digest, config.size), platform)
