"""What is in an archive of images: its own words are read once, and twofold ones are refused."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from apiserver.drivers import oci_image
from apiserver.drivers.containers_storage import BIG_DATA_LIMIT
from apiserver.errors import InvalidParameter
from apiserver.local.images.compression import Damaged
from apiserver.local.images.tarscan import Member, members

_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_MANIFEST, _INDEX, _LAYOUT = "manifest.json", "index.json", "oci-layout"

T = TypeVar("T")

Canonical = Callable[[str], str]
"""A name as an archive has it -> the canonical one; raises InvalidParameter for what is no name."""


class NoImages(Damaged):
    """An archive of no images that are known here; Podman has a reason for each format that it tries."""

    libpod = "unable to load image: payload does not match any of the supported image formats: {subject}"


class ArchivedImage(Struct, frozen=True):
    """One image of an archive.

    Attributes:
        source: what skopeo copies it from.
        names: canonical; empty for an untagged image.
    """

    source: str
    names: tuple[str, ...]


def archived_images(archive: Path, workplace: Path, canonical: Canonical) -> Sequence[ArchivedImage]:
    """The images of a docker-archive or an OCI archive, uncompressed; blocks.

    A docker-archive is read by skopeo in place. An OCI archive may hold several images without names, which skopeo
    cannot choose from: it is unpacked into `workplace`, one layout for each image over the same blobs.

    Raises:
        InvalidParameter: it is neither, a document in it is broken or there twice, or a name is none.
    """
    fd = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
    try:
        documents: dict[str, bytes] = {}
        for member in members(fd):
            if member.name in (_MANIFEST, _INDEX):
                if member.name in documents:
                    raise Damaged(f"{member.name} is in the archive twice")
                documents[member.name] = _document(fd, member)
        if _MANIFEST in documents:
            return _docker(archive, documents[_MANIFEST], canonical)
        if _INDEX in documents:
            index = _decoded(_INDEX, oci_image.decode_index, documents[_INDEX])
            _unpack_blobs(fd, workplace / "blobs" / "sha256")
            return _oci(workplace, index, canonical)
    except Damaged as error:
        raise NoImages(error.subject) from None
    finally:
        os.close(fd)
    raise NoImages("unrecognized image format: the archive has neither manifest.json nor index.json")


def _docker(archive: Path, manifest: bytes, canonical: Canonical) -> Sequence[ArchivedImage]:
    images = _decoded(_MANIFEST, oci_image.decode_archive_manifest, manifest)
    if not images:
        raise Damaged("the archive holds no images")
    return [
        ArchivedImage(f"docker-archive:{archive}:@{number}", tuple(canonical(tag) for tag in image.repo_tags or ()))
        for number, image in enumerate(images)
    ]


def _oci(workplace: Path, index: oci_image.IndexJson, canonical: Canonical) -> Sequence[ArchivedImage]:
    # The same manifest under several names has an entry for each.
    by_digest: dict[str, list[str]] = {}
    entries: dict[str, oci_image.DescriptorJson] = {}
    for entry in index.manifests:
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", entry.digest):
            raise Damaged(f"index.json names a manifest by the digest {entry.digest!r}")
        entries.setdefault(entry.digest, entry)
        names = by_digest.setdefault(entry.digest, [])
        name = _oci_name(entry, canonical)
        if name and name not in names:
            names.append(name)
    if not entries:
        raise Damaged("the archive holds no images")
    images = []
    for number, (digest, entry) in enumerate(entries.items()):
        layout = workplace / f"layout{number}"
        descriptor = {"mediaType": entry.media_type, "digest": digest, "size": entry.size}
        write_layout(layout, descriptor)
        (layout / "blobs").symlink_to("../blobs")
        images.append(ArchivedImage(f"oci:{layout}", tuple(by_digest[digest])))
    return images


def write_layout(layout: Path, manifest: dict[str, object]) -> None:
    """Make the directory of an OCI layout with one manifest; its `blobs` are for the caller to put there."""
    layout.mkdir(mode=0o700, exist_ok=True)
    (layout / _LAYOUT).write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / _INDEX).write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))


def _oci_name(entry: oci_image.DescriptorJson, canonical: Canonical) -> str | None:
    annotations = entry.annotations or {}
    for key in (oci_image.ANNOTATION_CONTAINERD_NAME, oci_image.ANNOTATION_NAME):
        if text := annotations.get(key):
            try:
                return canonical(text)
            except InvalidParameter:
                # The annotation may hold any word, which need not be a name at all.
                continue
    return None


def _unpack_blobs(fd: int, target: Path) -> None:
    target.mkdir(mode=0o700, parents=True)
    for member in members(fd):
        if (found := _BLOB.fullmatch(member.name)) and member.regular:
            try:
                out = os.open(target / found[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError as error:
                raise Damaged(f"{member.name} is in the archive twice") from error
            try:
                _copy(fd, out, member)
            finally:
                os.close(out)


def _copy(source: int, target: int, member: Member) -> None:
    offset, left = member.offset, member.size
    while left:
        sent = os.sendfile(target, source, offset, min(left, 1 << 30))
        if sent == 0:
            raise Damaged("unexpected EOF in the tar archive")
        offset, left = offset + sent, left - sent


def _document(fd: int, member: Member) -> bytes:
    if not member.regular or member.size > BIG_DATA_LIMIT:
        raise Damaged(f"{member.name} is no file, or larger than {BIG_DATA_LIMIT} bytes")
    return os.pread(fd, member.size, member.offset)


def _decoded(name: str, decode: Callable[[bytes], T], data: bytes) -> T:
    try:
        return decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"{name} of the archive: {error}") from error
