"""A pull as Podman's clients ask for it, and the records that they read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

from apiserver.engine.names import short_id
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import LayerPhase, LayerProgress, Platform
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.jsonvalue import JsonObject


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


def bare_reference(text: str) -> str:
    """A reference without its transport, of which only a registry's can be pulled from here.

    Raises:
        InvalidParameter, NotImplementedYet
    """
    if not text:
        raise InvalidParameter("reference parameter cannot be empty")
    bare = text.removeprefix("docker://")
    transport = bare.partition(":")[0]
    if transport in ("dir", "docker-archive", "docker-daemon", "oci", "oci-archive", "containers-storage", "ostree"):
        raise NotImplementedYet(f"pulling by the transport {transport}")
    return bare


def unresolved(short_name: str, candidates: Sequence[str]) -> str:
    """In Podman's words, as far as they go."""
    said = f'short-name "{short_name}" did not resolve to an alias and '
    if not candidates:
        return said + "no unqualified-search registries are defined"
    enforced = "short-name resolution enforced but cannot prompt without a TTY"
    return f"{said}may be any of {', '.join(candidates)}: {enforced}"


def first_line(name: str) -> JsonObject:
    return {"stream": f"Trying to pull {name}...\n"}


class LayerLines:
    """A line for each layer that is begun, as Podman writes them where there is no terminal."""

    def __init__(self) -> None:
        self._begun: set[str] = set()

    def lines(self, news: LayerProgress) -> Iterator[JsonObject]:
        if news.phase is not LayerPhase.WAITING and news.digest not in self._begun:
            self._begun.add(news.digest)
            skipped = " skipped: already exists" if news.phase is LayerPhase.PRESENT else ""
            yield {"stream": f"Copying blob {news.digest}{skipped}\n"}


def last_line_of_compat(image_id: str) -> JsonObject:
    """What ends the lines in Docker's form (`compatMode`): podman-py takes the last id of all for the image's."""
    return {"status": "Download complete", "progressDetail": {}, "id": short_id(image_id)}


def other_platform(image: Image, wanted: Platform) -> JsonObject:
    """Said of an image that is not what was asked for; it stays all the same."""
    has, asked = (
        "/".join(part for part in (each.os, each.architecture, each.variant) if part) for each in (image, wanted)
    )
    return {"stream": f"WARNING: image platform ({has}) does not match the expected platform ({asked})\n"}


def last_line(image_id: str) -> JsonObject:
    return {"images": [image_id], "id": image_id}
