"""Registries in memory: what they have is put there by the test, and steps are made by it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from twisted.internet.defer import CancelledError, Deferred

from apiserver.engine.names import Reference
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import (
    Credentials,
    LayerProgress,
    Platform,
    PushFormat,
    RegistryAccess,
    RemoteImage,
    RemoteManifest,
    ShortName,
)
from apiserver.errors import EngineError, NoSuchRemoteImage, RegistryRefused
from tests.fakes.images import FakeImageSource


class FakeRegistry:
    """
    Attributes:
        remote: what there is, by canonical name.
        known: who may log in, by registry.
        closed: whether those alone are let in.
        pushes: (canonical name, format, what to call with bytes sent, what to fire with a manifest) of each push.
        visits: canonical name of each that has not ended.
        reuses: what to call with a layer that is there already, of each push.
        clearing: what a fetch that is cancelled waits for before it has ended.
        fetches: (canonical name, what to call with a step, what to fire with an image or an error) of each fetch.
    """

    def __init__(self, source: FakeImageSource) -> None:
        self.source = source
        self.remote: dict[str, RemoteImage] = {}
        self.failure: EngineError | None = None
        self.short: dict[str, Sequence[str]] = {}
        self.looks = 0
        self.visits: list[str] = []
        self.cancelled = 0
        self.clearing: Deferred[None] | None = None
        self.known: dict[str, Credentials] = {}
        self.closed = False
        self.pushes: list[tuple[str, PushFormat, Callable[[int], object], Deferred[RemoteManifest]]] = []
        self.reuses: list[Callable[[str], object]] = []
        self.fetches: list[tuple[str, Callable[[LayerProgress], None], Deferred[Image]]] = []

    @asynccontextmanager
    async def visit(self, reference: Reference, access: RegistryAccess) -> AsyncGenerator[FakeVisit, None]:
        self.visits.append(reference.canonical)
        try:
            yield FakeVisit(self, reference, access)
        finally:
            self.visits.remove(reference.canonical)

    def let_in(self, reference: Reference, access: RegistryAccess) -> None:
        if self.failure is not None:
            raise self.failure
        if self.closed and access.for_location(reference.repository, reference) != self.known.get(reference.domain):
            raise RegistryRefused("unauthorized: authentication required")

    async def tags(self, repository: Reference, access: RegistryAccess) -> Sequence[str]:
        self.let_in(repository, access)
        start = f"{repository.canonical}:"
        if not (found := [name.removeprefix(start) for name in self.remote if name.startswith(start)]):
            raise NoSuchRemoteImage(f"name unknown: {repository.canonical}")
        return found

    async def push(
        self,
        image_id: str,
        reference: Reference,
        access: RegistryAccess,
        form: PushFormat,
        watch: Callable[[int], object],
        reused: Callable[[str], object],
    ) -> RemoteManifest:
        def count(_: object) -> None:
            self.cancelled += 1

        done: Deferred[RemoteManifest] = Deferred(count)
        self.pushes.append((reference.canonical, form, watch, done))
        self.reuses.append(reused)
        manifest = await done
        self.remote[reference.canonical] = RemoteImage(manifest.digest, manifest.digest, ())
        return manifest

    async def login(self, host: str, credentials: Credentials, tls_verify: bool | None) -> None:
        if self.known.get(host) != credentials:
            raise RegistryRefused("invalid username/password")

    async def short_name(self, name: str) -> ShortName:
        candidates = tuple(self.short.get(name, ()))
        return ShortName(name, candidates, is_alias=len(candidates) == 1, origin="/etc/registries.conf")

    async def candidates(self, name: str) -> Sequence[str]:
        return (await self.short_name(name)).candidates


class FakeVisit:
    def __init__(self, registry: FakeRegistry, reference: Reference, access: RegistryAccess) -> None:
        self._registry = registry
        self._reference = reference
        self._access = access

    async def look(self, platform: Platform) -> RemoteImage:
        registry, reference = self._registry, self._reference
        registry.looks += 1
        registry.let_in(reference, self._access)
        try:
            return registry.remote[reference.canonical]
        except KeyError:
            raise NoSuchRemoteImage(f"manifest unknown: {reference.canonical}") from None

    async def fetch(self, image: RemoteImage, watch: Callable[[LayerProgress], None]) -> str:
        registry = self._registry

        def count(_: object) -> None:
            registry.cancelled += 1

        done: Deferred[Image] = Deferred(count)
        registry.fetches.append((self._reference.canonical, watch, done))
        try:
            got = await done
        except CancelledError:
            if registry.clearing is not None:
                await registry.clearing
            raise
        registry.source.add(got)
        return got.id
