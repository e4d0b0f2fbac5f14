"""What the engine asks of a back end's image store, in the engine's own words.

Names of images are canonical strings here (`docker.io/library/busybox:latest`, `repo@sha256:...`; see
`engine.names`); ids and layer ids are 64 hex digits without `sha256:`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol

from msgspec import Struct, field


class ByteSource(Protocol):
    """A stream with back-pressure, as a request's body is one."""

    async def read(self) -> bytes:
        """The next piece, of any length above 0; `b""` at the end, and again after it."""
        ...


ByteSink = Callable[[bytes], Awaitable[object]]
"""Takes the next piece of a stream; awaited, so that a slow reader slows its source down."""


class Healthcheck(Struct, frozen=True):
    """An image's health check; a zero means the default.

    Attributes:
        test: `("NONE",)`, `("CMD", argument, ...)`, `("CMD-SHELL", line)`, or empty to inherit. Anything else is
            kept, as Docker and Podman keep it: a command to Podman, nothing that is ever run to Docker.
    """

    test: tuple[str, ...] = ()
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    start_interval_ns: int = 0
    retries: int = 0


class ImageConfig(Struct, frozen=True):
    """How an image wants its containers to be run.

    Attributes:
        env: `NAME=value`, in order.
        cmd: None where the image has none; likewise `entrypoint` and `shell`.
        exposed_ports: `80/tcp`, sorted.
        volumes: paths inside the container, sorted.
        stop_signal: as the image says it (`SIGTERM`, `15`), `""` where it has none.
    """

    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    shell: tuple[str, ...] | None = None
    working_dir: str = ""
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    on_build: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None


class HistoryEntry(Struct, frozen=True):
    """One step of an image's making, oldest first; `size_bytes` is 0 for a step without a layer.

    Attributes:
        created_nanosecond: the time's fraction of a second, where it has more digits than `created`.
    """

    created: datetime | None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False
    size_bytes: int = 0
    created_nanosecond: int | None = None


class Layer(Struct, frozen=True):
    """One layer of an image, base first.

    Attributes:
        id: the store's own name of it; the same layer over another parent has another id.
        diff_digest: `sha256:...` of the uncompressed tar.
        size_bytes: of its files, unpacked.
        directory: an optional fact: where its files are; `work` is what the kernel needs beside it.
    """

    id: str
    diff_digest: str
    size_bytes: int
    directory: str = ""
    work: str = ""


class Image(Struct, frozen=True):
    """An image as it stands in the store.

    Attributes:
        id: digest of its configuration, 64 hex digits.
        names: canonical `repository:tag`, in the store's order; empty for a dangling image.
        digests: canonical `repository@sha256:...`, names by which it was pulled.
        manifest_digest: `sha256:...` of its manifest.
        manifest_digests: of all manifests, and lists of them, by which it ever came; `manifest_digest` is the first.
        docker_version: of the Docker that made it, where one did.
        pulled: canonical `repository@sha256:...` by which registries know it under a tag that it still has.
        created_nanosecond: the time's fraction of a second, where it has more digits than `created`.
        size_bytes: of all its layers, unpacked.
        parent: id of the image that it was built upon where that is known and still here.
        intermediate: it is only a step of a build; listings hide it unless asked for all.
    """

    id: str
    names: tuple[str, ...]
    digests: tuple[str, ...]
    created: datetime | None
    size_bytes: int
    config: ImageConfig
    manifest_digest: str = ""
    architecture: str = ""
    os: str = "linux"
    variant: str = ""
    author: str = ""
    comment: str = ""
    layers: tuple[Layer, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    parent: str | None = None
    intermediate: bool = False
    created_nanosecond: int | None = None
    manifest_digests: tuple[str, ...] = ()
    pulled: tuple[str, ...] = ()
    docker_version: str = ""

    @property
    def directories(self) -> tuple[str, ...]:
        """Of its layers, the nearest first, where the back end says them: a container's lower directories."""
        return tuple(layer.directory for layer in reversed(self.layers) if layer.directory)


class LoadedImage(Struct, frozen=True):
    """What one image of an archive became: its canonical names in the archive's order, none if untagged."""

    id: str
    names: tuple[str, ...]


class NewImage(Struct, frozen=True):
    """The configuration of an image that is made of one layer."""

    config: ImageConfig
    created: datetime
    comment: str = ""
    author: str = ""
    architecture: str = ""
    os: str = "linux"
    variant: str = ""


class SaveFormat(Enum):
    """How an image is written for others; a directory is sent as a tar of it."""

    DOCKER_ARCHIVE = "docker-archive"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_DIRECTORY = "docker-dir"
    OCI_DIRECTORY = "oci-dir"


class SaveForm(Struct, frozen=True):
    """
    Attributes:
        compress: the layers of a docker-dir are compressed; those of an OCI format are in any case...
        uncompressed: ... unless this allows them to stay as they are.
    """

    format: SaveFormat = SaveFormat.DOCKER_ARCHIVE
    compress: bool = False
    uncompressed: bool = False


class SavedImage(Struct, frozen=True):
    """One image to be saved, with the names that the archive gives it, spelled as they are to stand there."""

    id: str
    names: tuple[str, ...] = ()


class ImageSource(Protocol):
    """The images of a back end.

    Everything that writes takes its time (tens of milliseconds, an archive much longer), is undone when it
    fails, and shows in the next `images()`.
    """

    async def images(self) -> Mapping[str, Image]:
        """All images by id, oldest in the store first; the same object for as long as nothing changed.

        An image whose record cannot be read is left out and logged.
        """
        ...

    async def load(self, archive: ByteSource, canonical: Callable[[str], str]) -> Sequence[LoadedImage]:
        """Take the images of a docker-archive or oci-archive, which may be compressed, with all their names.

        Names that pointed at other images move.

        Args:
            canonical: makes a stored name of one in the archive; raises InvalidParameter for what is none.

        Raises:
            InvalidParameter: it is no such archive, or it is damaged; the store is as before.
        """
        ...

    async def import_layer(self, layer: ByteSource, image: NewImage, name: str | None) -> str:
        """Make an image of one layer, a tar that may be compressed; answers its id.

        Args:
            image: an empty `architecture` means this machine's.
            name: canonical name, or None for a dangling image.

        Raises:
            InvalidParameter: the layer is no tar; the store is as before.
        """
        ...

    async def save(self, images: Sequence[SavedImage], form: SaveForm, sink: ByteSink) -> None:
        """Write images as one tar, no faster than the sink takes it. Cancelling ends it, and nothing of it stays.

        Args:
            images: each id once; several in a docker-archive alone, and a name at most in the other formats.
            sink: gets nothing before an error that can be known beforehand.

        Raises:
            ImageRemovedUnderneath: an image, or a layer of it, is not there.
        """
        ...

    async def tag(self, image_id: str, name: str) -> None:
        """Give an image one more name, taking it from the image that has it now.

        Raises:
            NoSuchImage: it is gone.
        """
        ...

    async def untag(self, image_id: str, name: str) -> None:
        """Take one name from an image and keep the image, nameless or not. A name that is gone is no error."""
        ...

    async def remove(self, image_id: str, keep: Collection[str] = ()) -> Sequence[str]:
        """Remove an image with all its names, and the nameless images it was built upon that nothing else needs.

        Answers the ids removed, the image's own first.

        Args:
            keep: ids of nameless ancestors that stay, with all below them.

        Raises:
            NoSuchImage: it is gone already.
            Conflict: something in the store itself still uses it, such as a build.
        """
        ...

    async def verify(self, image_id: str) -> None:
        """Look whether all that a container of this image needs is still there: to be asked at each start.

        Raises:
            ImageRemovedUnderneath: another tool removed the image or one of its layers.
        """
        ...
