"""What the engine asks of image registries, and how it is let in there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Protocol

from msgspec import Struct, field

from apiserver.engine.names import Reference as Reference  # a word of this port


class Credentials(Struct, frozen=True):
    """How one registry knows a client; never shown.

    Attributes:
        identity_token: stands in for the password where the registry gave one at login.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return "Credentials(***)"

    __str__ = __repr__


class ShortName(Struct, frozen=True):
    """A name without a registry.

    Attributes:
        name: without tag and digest.
        candidates: the full names that it may mean, with tag and digest, first choice first; may be empty.
        is_alias: it is one; else it is searched for.
        origin: where that is said, or would be said: for who wants to know, or to change it.
    """

    name: str
    candidates: tuple[str, ...]
    is_alias: bool
    origin: str


class RegistryAccess(Struct, frozen=True):
    """How the registries of one request are spoken to.

    Attributes:
        credentials: by registry, `host[:port]` in small letters, or by part of one, `host[:port]/path`; those under the
            empty name are for the registry of the reference. A registry gets none but its own.
        tls_verify: False allows a certificate that nobody vouches for, and plain HTTP; None leaves it to the
            back end's configuration of registries.
        insecure_host: `host[:port]` for which that is allowed where `tls_verify` is None: for this host alone, not
            for mirrors, nor for where else the back end's configuration has a repository come from.
    """

    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    tls_verify: bool | None = None
    insecure_host: str = ""

    def for_location(self, location: str, reference: Reference) -> Credentials | None:
        """Those for a place, `HOST[:PORT]/PATH`, that has the repository of a reference: itself, a mirror of it.

        Those for the smallest part of a registry that has the place; else for that registry.
        """
        host, slash, path = location.partition("/")
        part = host.lower() + slash + path
        while part and part not in self.credentials:
            part = part.rpartition("/")[0]
        if part:
            return self.credentials[part]
        return self.credentials.get("") if host == reference.domain else None

    def key(self) -> object:
        """Equal for equal access: whom one work may serve."""
        credentials = tuple(sorted((host, *_fields(each)) for host, each in self.credentials.items()))
        return credentials, self.tls_verify, self.insecure_host


def _fields(credentials: Credentials) -> tuple[str, str, str]:
    return credentials.username, credentials.password, credentials.identity_token


class Platform(Struct, frozen=True):
    """Which of an image's variants is wanted; what is empty is this machine's."""

    os: str = ""
    architecture: str = ""
    variant: str = ""


class RemoteBlob(Struct, frozen=True):
    """A layer, compressed or not, or a configuration as a registry announces it."""

    digest: str
    size_bytes: int


class RemoteImage(Struct, frozen=True):
    """What a reference leads to at its registry now.

    Attributes:
        digest: `sha256:...` of the manifest, or of the list of manifests, that the reference names; empty where the
            registry's old format has none that identifies it.
        image_digest: of the manifest of the one image that fits the platform; `digest` itself without a list.
        layers: base first.
        config: None where it is not announced.
        platform: that of the image in its list; empty without a list.
    """

    digest: str
    image_digest: str
    layers: tuple[RemoteBlob, ...]
    config: RemoteBlob | None = None
    platform: Platform = Platform()


class LayerPhase(Enum):
    """How far a layer is, in this order."""

    WAITING = "waiting"
    PRESENT = "present"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    COMPLETE = "complete"


class LayerProgress(Struct, frozen=True):
    """`current` and `total` are bytes of the compressed blob."""

    digest: str
    phase: LayerPhase
    current: int = 0
    total: int = 0


class PushFormat(Struct, frozen=True):
    """How an image is written for a registry.

    Attributes:
        manifest: `oci`, `v2s2`, `v2s1`; empty to keep what it is.
        compression: `gzip`, `zstd`; empty for the back end's own.
        compression_level: None for the back end's own.
        remove_signatures: leave them here.
    """

    manifest: str = ""
    compression: str = ""
    compression_level: int | None = None
    remove_signatures: bool = False


class RemoteManifest(Struct, frozen=True):
    """What a registry has got: digest and size of the manifest.

    Attributes:
        size_bytes: 0 where it is not known.
        mounted: by diff digest, the other repository of the registry's that it took a layer from.
    """

    digest: str
    size_bytes: int
    mounted: Mapping[str, str] = field(default_factory=dict)


class Visit(Protocol):
    """A reference at its registry, as one client is let in there.

    How it is reached, and with whose credentials, is found out once. Whatever a registry refuses or fails at ends the
    visit; `ImageVanished`, which is the store's failure, does not.
    """

    async def look(self, platform: Platform) -> RemoteImage:
        """Ask the registry what it has there.

        Raises:
            NoSuchRemoteImage, RegistryRefused, RegistryForbids, RegistryUnreachable, RegistrySilent, RegistryFailed
            InvalidParameter: what it has is no image that can be taken.
            NotImplementedYet: the back end cannot ask for such a digest.
        """
        ...

    async def fetch(self, image: RemoteImage, watch: Callable[[LayerProgress], None]) -> str:
        """Bring `image`, which `look` found, into the store under the reference's canonical name; answers its id.

        Args:
            watch: called with each step of each layer.

        Raises:
            as `look`; the store is as before.
            ImageVanished: it was taken from the store meanwhile; a second try may succeed.
        """
        ...


class Registry(Protocol):
    """The registries that a back end can reach.

    Whatever is cancelled ends at once, and leaves nothing behind.
    """

    def visit(self, reference: Reference, access: RegistryAccess) -> AbstractAsyncContextManager[Visit]:
        """Nothing is asked of a registry yet, and nothing of a visit stays."""
        ...

    async def tags(self, repository: Reference, access: RegistryAccess) -> Sequence[str]:
        """All tags that a repository has at its registry, in the registry's order.

        Args:
            repository: without tag and digest.

        Raises:
            NoSuchRemoteImage: there is no such repository.
            RegistryRefused, RegistryForbids, RegistryUnreachable, RegistrySilent, RegistryFailed
        """
        ...

    async def push(
        self,
        image_id: str,
        reference: Reference,
        access: RegistryAccess,
        form: PushFormat,
        watch: Callable[[int], object],
        reused: Callable[[str], object],
    ) -> RemoteManifest:
        """Bring an image of the store to a registry.

        Args:
            watch: called with the bytes sent so far, while they grow.
            reused: called with the diff digest of each layer that the registry has already, and does not get.

        Raises:
            RegistryRefused, RegistryForbids, RegistryUnreachable, RegistrySilent, RegistryFailed
        """
        ...

    async def login(self, host: str, credentials: Credentials, tls_verify: bool | None) -> None:
        """Let a registry, `host[:port]`, look at credentials.

        Raises:
            RegistryRefused: it does not know them.
            RegistryUnreachable, RegistrySilent, RegistryFailed
        """
        ...

    async def short_name(self, name: str) -> ShortName:
        """What a name without a registry means to a libpod client, by the back end's own configuration."""
        ...
