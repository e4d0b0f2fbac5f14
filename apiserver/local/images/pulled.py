"""By which digests images came from registries, and went there: the store knows their manifests, but not whether those
were ever at a registry. Docker's clients are told of no other ones.

A file of ours beside the store, `{"ID": ["repository@sha256:...", ...]}`; without it a digest is missing and no more.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from apiserver.engine.ports.images import Image

_decode = msgspec.json.Decoder(dict[str, list[str]]).decode

Pulled = Mapping[str, Sequence[str]]


class PulledFile:
    """All calls block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()

    def identity(self) -> tuple[int, int] | None:
        """Changes with the content; microseconds."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def read(self) -> Pulled:
        """Digests by id; empty where there is no such file, or none that can be read."""
        try:
            return _decode(self._path.read_bytes())
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def add(self, image_id: str, name: str, ids: Collection[str]) -> None:
        """
        Args:
            name: `repository@sha256:...`.
            ids: of the images that there are; what was known of others is forgotten.
        """
        with self._writing:
            known = {each: list(names) for each, names in self.read().items() if each in ids}
            names = known.setdefault(image_id, [])
            if name in names:
                return
            names.append(name)
            fresh = self._path.with_name(f".{self._path.name}.new")
            fresh.write_text(json.dumps(known))
            fresh.replace(self._path)


def still_named(image: Image, pulled: Sequence[str]) -> tuple[str, ...]:
    """Those of the repositories that it still has a name in, without those that are names of their own."""
    repositories = {name.rpartition(":")[0] for name in image.names}
    return tuple(each for each in pulled if each.partition("@")[0] in repositories and each not in image.digests)
