"""Pushing images: one client, one work, which ends when the client leaves."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from apiserver.engine.events.model import Action
from apiserver.engine.images.bell import Bell
from apiserver.engine.images.pull import Holds, Told
from apiserver.engine.names import Reference
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import PushFormat, Registry, RegistryAccess, RemoteManifest

SMALL_TALK = 256 * 1024
"""Bytes that asking a registry takes at most, before any of a layer is sent."""


class Push:
    """A push under way.

    Attributes:
        reused: diff digests of the layers that the registry has already, so far.
    """

    def __init__(self) -> None:
        self.reused: set[str] = set()
        self.running: Deferred[RemoteManifest] | None = None
        self._sent = 0
        self._told = 0
        self._manifest: RemoteManifest | None = None
        self._failure: Failure | None = None
        self._bell = Bell()

    async def begun(self) -> None:
        """Return once bytes of the image are on their way, or all is done; an error here is one before any progress.

        Raises:
            as `Registry.push`.
        """
        while self._manifest is None and self._sent <= SMALL_TALK:
            await self._news()

    async def progress(self) -> int | None:
        """Bytes sent so far, once they are more than at the last call; None at the end.

        Raises:
            as `Registry.push`.
        """
        while self._manifest is None:
            if self._sent > self._told:
                self._told = self._sent
                return self._sent
            await self._news()
        return None

    @property
    def manifest(self) -> RemoteManifest:
        """After the end."""
        assert self._manifest is not None
        return self._manifest

    def leave(self) -> None:
        """The client wants no more: to be called on every path."""
        if self.running is not None:
            self.running.cancel()

    def sent(self, bytes_: int) -> None:
        self._sent = bytes_
        self._bell.ring()

    def end(self, result: Any) -> None:
        if not isinstance(result, Failure):
            self._manifest = result
        elif not result.check(CancelledError):
            self._failure = result
        self._bell.ring()

    async def _news(self) -> None:
        if self._failure is not None:
            self._failure.raiseException()
        await self._bell.wait()


class Pushes:
    """
    Args:
        tell: records an event of an image.
        background: what keeps the service from leaving while a push that was left is cleared up.
    """

    def __init__(self, registry: Registry, tell: Told, background: Holds) -> None:
        self.registry = registry
        self._tell = tell
        self._background = background

    def begin(self, image: Image, destination: Reference, access: RegistryAccess, form: PushFormat) -> Push:
        push = Push()
        push.running = Deferred.fromCoroutine(self._push(push, image, destination.tagged(), access, form))
        push.running.addBoth(push.end)
        return push

    async def _push(
        self, push: Push, image: Image, destination: Reference, access: RegistryAccess, form: PushFormat
    ) -> RemoteManifest:
        with self._background.hold(f"pushing {destination.canonical}"):
            manifest = await self.registry.push(image.id, destination, access, form, push.sent, push.reused.add)
            await self._tell(image, Action.PUSH, destination.familiar, destination.canonical)
            return manifest
