"""A pull as Podman's clients ask for it, and the records that they read."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from msgspec.structs import replace

from apiserver.engine.names import short_id
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import LayerPhase, LayerProgress, Platform, ShortName
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject

_V6 = (6, 0, 0)

_STEPS = {
    LayerPhase.PRESENT: ("Artifact already exists", "skipped"),
    LayerPhase.DOWNLOADING: ("Pulling artifact", "pulling"),
    LayerPhase.COMPLETE: ("Artifact pulled successfully", "success"),
}
"""Of a layer: the text, and the status, that Podman has."""


class Policy(Enum):
    """When the registry is asked."""

    ALWAYS = "always"
    MISSING = "missing"
    NEWER = "newer"
    NEVER = "never"


def policy(text: str | None) -> Policy:
    """
    Raises:
        InvalidParameter
    """
    try:
        return Policy((text or "always").lower())
    except ValueError:
        raise InvalidParameter(f"unsupported pull policy {text!r}") from None


def check_form(*, quiet: bool, compat: bool, progress: bool) -> None:
    """Each is a form of the answer; only one can be asked for.

    Raises:
        InvalidParameter
    """
    asked = [name for name, wanted in (("compatMode", compat), ("pullProgress", progress), ("quiet", quiet)) if wanted]
    if len(asked) > 1:
        raise InvalidParameter(f"'{asked[0]}' and '{asked[1]}' cannot be used simultaneously")


def bare_reference(text: str) -> str:
    """A reference without its transport, of which a client may name only a registry's.

    Raises:
        InvalidParameter
    """
    if not text:
        raise InvalidParameter("reference parameter cannot be empty")
    bare = text.removeprefix("docker://")
    transport = bare.partition(":")[0]
    if transport in ("dir", "docker-archive", "docker-daemon", "oci", "oci-archive", "containers-storage", "ostree"):
        raise InvalidParameter(f'unsupported transport {transport} in "{text}": only docker transport is supported')
    return bare


def resolved(meant: ShortName) -> str:
    """Where a name without a registry is pulled from, and who says so; a line."""
    if meant.is_alias:
        return f'Resolved "{meant.name}" as an alias ({meant.origin})\n'
    return f'Resolving "{meant.name}" using unqualified-search registries ({meant.origin})\n'


def unresolved(text: str, meant: ShortName) -> str:
    """In Podman's words, as far as they go.

    Args:
        text: as the client has it.
    """
    said = f'short-name "{text}" did not resolve to an alias and '
    if not meant.candidates:
        return said + f'no unqualified-search registries are defined in "{meant.origin}"'
    enforced = "short-name resolution enforced but cannot prompt without a TTY"
    return f"{said}may be any of {', '.join(meant.candidates)}: {enforced}"


class PullLines:
    """The lines of one client.

    Args:
        version: since 6, each says whether the pull goes on (`pulling`) or has ended (`success`, `error`).
        progress: wants the bytes of each layer as well (`pullProgress`).
    """

    def __init__(self, version: tuple[int, ...], *, progress: bool = False) -> None:
        self._version = version
        self._progress = progress
        self._begun: set[str] = set()

    def first(self, name: str, resolved: str = "") -> Iterator[JsonObject]:
        """
        Args:
            resolved: what there is to say before, a line.
        """
        if resolved:
            yield self._pulling(resolved)
        yield self._pulling(f"Trying to pull {name}...\n")
        yield self._pulling("Getting image source signatures\n")

    def layer(self, news: LayerProgress) -> Iterator[JsonObject]:
        """One where a layer is begun, or is here, as Podman has it without a terminal; and one for each step."""
        if news.phase is LayerPhase.WAITING:
            return
        if news.digest not in self._begun:
            self._begun.add(news.digest)
            yield self._pulling(f"Copying blob {news.digest}\n")
            if self._progress and news.phase is not LayerPhase.PRESENT:
                yield self._step(replace(news, current=0), "Starting to pull artifact", "pulling")
        if self._progress and news.phase in _STEPS:
            yield self._step(news, *_STEPS[news.phase])

    def written(self, image_id: str) -> Iterator[JsonObject]:
        """After the layers; an image's id is the digest of its configuration."""
        yield self._pulling(f"Copying config sha256:{image_id}\n")
        yield self._pulling("Writing manifest to image destination\n")

    def other_platform(self, image: Image, wanted: Platform) -> JsonObject:
        """Said of an image that is not what was asked for; it stays all the same."""
        has, asked = (
            "/".join(part for part in (each.os, each.architecture, each.variant) if part) for each in (image, wanted)
        )
        return self._pulling(f"WARNING: image platform ({has}) does not match the expected platform ({asked})\n")

    def last(self, image_id: str) -> JsonObject:
        return self._status("success") | last_line(image_id)

    def error(self, message: str) -> JsonObject:
        return self._status("error") | {"error": message}

    def _step(self, news: LayerProgress, text: str, status: str) -> JsonObject:
        detail: JsonObject = {"status": status, "progressComponentID": news.digest}
        if news.phase is not LayerPhase.PRESENT:  # which has no bytes to come; a zero is left out of the others
            sizes = {"current": news.current, "total": news.total}
            detail |= {name: size for name, size in sizes.items() if size}
        return self._pulling(text) | {"pullProgress": detail}

    def _pulling(self, text: str) -> JsonObject:
        return self._status("pulling") | {"stream": text}

    def _status(self, word: str) -> JsonObject:
        return {"status": word} if self._version >= _V6 else {}


def last_line_of_compat(image_id: str) -> JsonObject:
    """What ends the lines in Docker's form (`compatMode`): podman-py takes the last id of all for the image's."""
    return {"status": "Download complete", "progressDetail": {}, "id": short_id(image_id)}


def last_line(image_id: str) -> JsonObject:
    """All that is said of an image that was here, or in a quiet pull."""
    return {"images": [image_id], "id": image_id}
