"""What the handlers ask of the engine's images and networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from apiserver.engine.ports.images import ByteSource, Image, LoadedImage
from apiserver.engine.ports.networks import Network


class NetworkService(Protocol):
    def all(self) -> Sequence[Network]: ...

    def get(self, name_or_id: str) -> Network:
        """Raises: NoSuchNetwork."""
        ...


class Removal(Protocol):
    """What went with an image: canonical names, and ids without `sha256:`."""

    @property
    def untagged(self) -> Sequence[str]: ...

    @property
    def deleted(self) -> Sequence[str]: ...


class ImageService(Protocol):
    """Images by the names that clients write, or by an id or its start."""

    async def all(self) -> Sequence[Image]: ...

    async def find(self, name_or_id: str) -> Image:
        """Raises: NoSuchImage, InvalidReference."""
        ...

    async def load(self, archive: ByteSource) -> Sequence[LoadedImage]: ...

    async def import_layer(
        self,
        layer: ByteSource,
        *,
        name: str | None = None,
        changes: Sequence[str] = (),
        comment: str = "",
        platform: str | None = None,
    ) -> str:
        """Answers the new image's id."""
        ...

    async def tag(self, name_or_id: str, name: str) -> None: ...

    async def remove(self, name_or_id: str, *, force: bool = False, prune: bool = True) -> Removal: ...
