"""Which layers of a push its registry had already, in that repository or in another: skopeo says so as it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from apiserver.local.registries.remote_manifest import BadManifest, read_manifest


class ReusedLayers:
    """
    Args:
        watch: called with the diff digest of each layer that need not be sent.
    """

    def __init__(self, watch: Callable[[str], object]) -> None:
        self._watch = watch
        self._reused: set[str] = set()
        self._from: dict[str, str] = {}

    def skipped(self, diff_digest: str) -> None:
        """skopeo leaves out a blob."""
        self._reused.add(diff_digest)
        self._watch(diff_digest)

    def asked(self, method: str, url: str) -> None:
        """skopeo asks for this; whether a mount comes of it shows when the blob is left out, or is not.

        Args:
            url: can be read.
        """
        if method == "POST":
            query = parse_qs(urlsplit(url).query)
            for digest, repository in zip(query.get("mount", ()), query.get("from", ()), strict=False):
                self._from[digest] = repository

    def mounted(self, layers: Sequence[str], manifest: bytes) -> Mapping[str, str]:
        """By diff digest, the repository that the registry took a layer from.

        Args:
            layers: diff digests, base first.
            manifest: what the registry has got, or nothing; nothing is known by one that does not name the same layers.
        """
        if not self._from:
            return {}
        try:
            described = read_manifest(manifest).layers or []
        except BadManifest:  # empty, or of schema version 1, where a client asks for that
            return {}
        if len(described) != len(layers):
            return {}
        pairs = [(diff, self._from.get(each.digest)) for diff, each in zip(layers, described, strict=True)]
        return {diff: repository for diff, repository in pairs if repository and diff in self._reused}
