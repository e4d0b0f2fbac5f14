"""Pulling images: two clients that want the same share one work, and the last that leaves ends it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from apiserver.engine.events.model import Action
from apiserver.engine.images.bell import Bell
from apiserver.engine.names import Reference
from apiserver.engine.ports.images import Image, ImageSource
from apiserver.engine.ports.registry import LayerProgress, Platform, Registry, RegistryAccess, RemoteImage, Visit
from apiserver.errors import EngineError, ImageVanished


class Told(Protocol):
    async def __call__(self, image: Image, action: Action, name: str, reference: str, /) -> None: ...


class ToldFailure(Protocol):
    async def __call__(self, reference: str, why: str) -> None: ...


class Holds(Protocol):
    """What keeps the service from leaving."""

    def hold(self, what: str) -> AbstractContextManager[None]: ...


class Pulled(Struct, frozen=True):
    """How a pull ended.

    Attributes:
        newer: the store got something that it had not under that name.
    """

    image_id: str
    digest: str
    newer: bool


class Pull:
    """One client's view of a pull."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self._news: dict[str, LayerProgress] = {}
        self._bell = Bell()

    async def found(self) -> RemoteImage:
        """What the registry has; an error here is one before the first progress.

        Raises:
            as `Visit.look`.
        """
        while self._work.remote is None:
            self._work.check()
            await self._bell.wait()
        return self._work.remote

    async def progress(self) -> list[LayerProgress] | None:
        """The latest step of each layer that made one since the last call; waits for one. None at the end.

        Raises:
            as `Visit.fetch`.
        """
        while not self._news:
            if self._work.pulled is not None:
                return None
            self._work.check()
            await self._bell.wait()
        news, self._news = list(self._news.values()), {}
        return news

    @property
    def whole(self) -> bool:
        """Whether the image was in the store already, if by another name; after `found`."""
        return self._work.whole

    @property
    def pulled(self) -> Pulled:
        """After the end."""
        assert self._work.pulled is not None
        return self._work.pulled

    def leave(self) -> None:
        """This client wants no more: to be called on every path."""
        self._work.leave(self)

    def hear(self, news: LayerProgress) -> None:
        self._news[news.digest] = news

    def wake(self) -> None:
        self._bell.ring()


class _Work:
    def __init__(self, ended: Callable[[], None]) -> None:
        self.pulls: list[Pull] = []
        self.shown: dict[str, LayerProgress] = {}
        self.remote: RemoteImage | None = None
        self.whole = False
        self.pulled: Pulled | None = None
        self.failure: Failure | None = None
        self.running: Deferred[Any] | None = None
        self._ended = ended

    def join(self) -> Pull:
        pull = Pull(self)
        for news in self.shown.values():
            pull.hear(news)
        self.pulls.append(pull)
        return pull

    def leave(self, pull: Pull) -> None:
        if pull in self.pulls:
            self.pulls.remove(pull)
            if not self.pulls and self.running is not None and not self.running.called:
                self._ended()  # who comes now begins anew
                self.running.cancel()

    def check(self) -> None:
        if self.failure is not None:
            self.failure.raiseException()

    def found(self, remote: RemoteImage, *, whole: bool) -> None:
        self.remote, self.whole = remote, whole
        self._wake_all()

    def show(self, news: LayerProgress) -> None:
        self.shown[news.digest] = news
        for pull in self.pulls:
            pull.hear(news)
        self._wake_all()

    def end(self, result: Any) -> None:
        self._ended()
        if isinstance(result, Failure):
            if not result.check(CancelledError) or self.pulls:
                self.failure = result
        else:
            self.pulled = result
        self._wake_all()

    def _wake_all(self) -> None:
        for pull in tuple(self.pulls):
            pull.wake()


class Pulls:
    """
    Args:
        tell: records an event of an image.
        tell_failed: records that a pull failed, and why.
        background: what keeps the service from leaving while a pull that was left is cleared up.
    """

    def __init__(
        self, registry: Registry, source: ImageSource, tell: Told, tell_failed: ToldFailure, background: Holds
    ) -> None:
        self.registry = registry
        self._source = source
        self._tell = tell
        self._tell_failed = tell_failed
        self._background = background
        self._works: dict[object, _Work] = {}

    def join(self, reference: Reference, access: RegistryAccess, platform: Platform) -> Pull:
        """Begin a pull, or join the one that is under way for the same reference, credentials and platform."""
        key = (reference.exact().canonical, access.key(), platform.os, platform.architecture, platform.variant)
        work = self._works.get(key)
        if work is None:
            work = self._works[key] = _Work(lambda: self._forget(key, work))
            pull = work.join()
            work.running = Deferred.fromCoroutine(self._pull(work, reference, access, platform))
            work.running.addBoth(work.end)
            return pull
        return work.join()

    async def differs(self, image: Image, reference: Reference, access: RegistryAccess, platform: Platform) -> bool:
        """Whether a registry has something else under a reference than an image that is here.

        Of a list the image for the platform counts: another of the same list came by the same digest as well.

        Raises:
            as `Visit.look`.
        """
        async with self.registry.visit(reference.exact(), access) as visit:
            remote = await visit.look(platform)
        return remote.image_digest not in {image.manifest_digest, *image.manifest_digests}

    def _forget(self, key: object, work: _Work | None) -> None:
        # One that was left is forgotten at once, and ends later: the key may be a newer one's by then.
        if self._works.get(key) is work:
            del self._works[key]

    async def _pull(self, work: _Work, asked: Reference, access: RegistryAccess, platform: Platform) -> Pulled:
        with self._background.hold(f"pulling {asked.canonical}"):
            try:
                return await self._pull_it(work, asked.exact(), access, platform)
            except EngineError as error:
                await self._tell_failed(asked.canonical, str(error))
                raise

    async def _pull_it(self, work: _Work, reference: Reference, access: RegistryAccess, platform: Platform) -> Pulled:
        async with self.registry.visit(reference, access) as visit:
            remote = await visit.look(platform)
            images = await self._source.images()
            before = {name: image for image in images.values() for name in _names(image)}
            work.found(remote, whole=remote.config is not None and remote.config.digest.partition(":")[2] in images)
            had = before.get(reference.canonical)
            try:
                image = await self._fetched(work, reference, remote, visit)
            except ImageVanished:
                image = await self._fetched(work, reference, remote, visit)
        await self._tell(image, Action.PULL, reference.familiar, reference.canonical)
        return Pulled(image.id, remote.digest, had is None or had.id != image.id)

    async def _fetched(self, work: _Work, reference: Reference, remote: RemoteImage, visit: Visit) -> Image:
        image_id = await visit.fetch(remote, work.show)
        image = (await self._source.images()).get(image_id)
        if image is None:
            raise ImageVanished(f"{reference.canonical} was taken from the store while it was pulled")
        return image


def _names(image: Image) -> tuple[str, ...]:
    return (*image.names, *image.digests)
