"""Making a container: what the image says below what the client asks, checked, named and recorded."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager

from msgspec.structs import replace
from twisted.logger import Logger

from apiserver.engine.containers.collaborators import ContainerNetworks, ImagesInUse, VolumesInUse
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.merge import merged
from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options import ContainerOptions, checked
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.registry import Reservation
from apiserver.engine.events.model import Action
from apiserver.engine.locks import Locks
from apiserver.engine.names import container_name, new_id, random_container_name
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.runs import Runs
from apiserver.errors import EngineError, NoSuchVolume, NotFound

log = Logger()


class OtherPlatform(NotFound):
    """The image is here, for another machine; docker-py pulls when it reads these words."""

    cause = "no such image for that platform"
    docker = libpod = "{subject}"


class Create:
    """
    Args:
        processors: of this host.
    """

    def __init__(
        self,
        ledger: Ledger,
        locks: Locks,
        runs: Runs,
        images: ImagesInUse,
        networks: ContainerNetworks,
        volumes: VolumesInUse,
        processors: int,
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._runs = runs
        self._images = images
        self._networks = networks
        self._volumes = volumes
        self._processors = processors

    async def create(
        self, name: str | None, image_name: str, options: ContainerOptions, platform: str | None = None
    ) -> Container:
        """Record a new container; its warnings are on it.

        Args:
            name: None or empty for a random one.
            platform: `OS/ARCHITECTURE[/VARIANT]` that the image must have.

        Raises:
            InvalidParameter: the message names the option.
            NoSuchImage, OtherPlatform
            NoSuchNetwork
            NameTaken
        """
        name = container_name(name) if name else None
        async with self._reserved(name) as reservation:
            image = await self._images.find(image_name)
            if platform:
                _check_platform(image_name, image, platform)
            options = checked.validated(merged(options, image.config), processors=self._processors)
            self._networks.check(options.network)
            runtime = self._runs.choose_runtime(options.runtime)
            warnings = (*checked.warnings(options), *self._runs.warnings(options))
            async with self._volumes_of(options, reservation) as options:
                async with self._locks.image(image.id, "create"):
                    # It may have been removed since; from here on it may not.
                    await self._images.find(image.id)
                    reservation.image_id = image.id
                container = Container(
                    id=reservation.id,
                    name=reservation.name,
                    created=self._ledger.now(),
                    image_id=image.id,
                    image_name=image_name,
                    options=options,
                    runtime=runtime,
                    warnings=warnings,
                )
                return await self._ledger.record(container, self._ledger.event(container, Action.CREATE))

    @asynccontextmanager
    async def _reserved(self, name: str | None) -> AsyncGenerator[Reservation, None]:
        registry = self._ledger.registry
        with ExitStack() as stack:
            async with self._locks.names("create"):
                while name is None:
                    drawn = random_container_name()
                    name = drawn if registry.name_is_free(drawn) else None
                reservation = stack.enter_context(registry.reserve(new_id(), name))
            yield reservation

    @asynccontextmanager
    async def _volumes_of(
        self, options: ContainerOptions, reservation: Reservation
    ) -> AsyncGenerator[ContainerOptions, None]:
        """The options with every volume named and made; those made here are removed again if the create fails."""
        mounts = tuple(_named(mount) for mount in options.mounts.mounts)
        wanted = [mount for mount in mounts if mount.kind is MountKind.VOLUME]
        reservation.volumes = tuple(mount.source for mount in wanted)
        made: list[str] = []
        try:
            for mount in wanted:
                if self._is_missing(mount.source):
                    made.append(mount.source)
                await self._volumes.create(
                    mount.source,
                    labels=mount.volume_labels,
                    options=mount.volume_options,
                    driver=mount.volume_driver,
                    anonymous=mount.anonymous,
                )
            yield replace(options, mounts=replace(options.mounts, mounts=mounts))
        except BaseException:
            reservation.volumes = ()
            for name in made:
                try:
                    await self._volumes.remove(name, force=True)
                except EngineError:
                    log.failure("volume {name} of a failed create stays", name=name)
            raise

    def _is_missing(self, name: str) -> bool:
        try:
            self._volumes.get(name)
        except NoSuchVolume:
            return True
        return False


def _named(mount: Mount) -> Mount:
    return replace(mount, source=new_id()) if mount.kind is MountKind.VOLUME and not mount.source else mount


def _check_platform(name: str, image: Image, platform: str) -> None:
    system, _, rest = platform.lower().partition("/")
    architecture, _, variant = rest.partition("/")
    wanted = [(system, image.os), (architecture, image.architecture), (variant, image.variant)]
    if any(asked and has and asked != has for asked, has in wanted):
        has = "/".join(part for part in (image.os, image.architecture, image.variant) if part)
        raise OtherPlatform(
            f"image with reference {name} was found but does not match the specified platform:"
            f" wanted {platform}, actual: {has}"
        )
