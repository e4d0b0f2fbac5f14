"""Making a container: what the image says below what the client asks, checked, named and recorded."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, suppress

from msgspec.structs import replace

from apiserver.engine.containers.collaborators import ContainerNetworks, ImagesInUse, VolumesInUse
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.merge import merged
from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options import ContainerOptions, checked
from apiserver.engine.containers.options.mounts import MountKind, Mounts, read_volumes_from, with_mounts_of_others
from apiserver.engine.containers.registry import Reservation
from apiserver.engine.events.model import Action
from apiserver.engine.images.lookup import stored_name
from apiserver.engine.images.platform import check_platform, platform_warning
from apiserver.engine.locks import Locks
from apiserver.engine.names import DOCKER_NAMES, ShortNames, container_name, new_id, random_container_name
from apiserver.engine.ports.host import HostFacts
from apiserver.engine.ports.records import DeleteContainer, PutContainer
from apiserver.engine.ports.runs import Runs
from apiserver.engine.volumes.service import Making, Wanted
from apiserver.errors import InvalidParameter, NoSuchContainer, NoSuchNetwork


class Create:
    """
    Args:
        host: what options are checked against.
    """

    def __init__(
        self,
        ledger: Ledger,
        locks: Locks,
        runs: Runs,
        images: ImagesInUse,
        networks: ContainerNetworks,
        volumes: VolumesInUse,
        host: HostFacts,
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._runs = runs
        self._images = images
        self._networks = networks
        self._volumes = volumes
        self._host = host

    async def create(
        self,
        name: str | None,
        image_name: str,
        options: ContainerOptions,
        platform: str | None = None,
        short_names: ShortNames = DOCKER_NAMES,
        *,
        any_platform: bool = False,
    ) -> Container:
        """Record a new container; its warnings are on it.

        Args:
            name: None or empty for a random one.
            platform: `OS/ARCHITECTURE[/VARIANT]` that the image must have.
            any_platform: the client has asked for one when it pulled, and takes what is here.

        Raises:
            InvalidParameter: the message names the option.
            NoSuchImage, OtherPlatform
            NameTaken
        """
        name = container_name(name) if name else None
        async with self._reserved(name) as reservation:
            image = await self._images.find(image_name, short_names)
            other = ""
            if platform:
                check_platform(image_name, image, platform)
            elif not any_platform:
                other = platform_warning(image, self._host.architecture)
            if short_names.resolved:
                image_name = stored_name(image, image_name, short_names)
            options = self._with_volumes_from(await self._with_profile(options))
            options = merged(options, image.config)
            options = checked.validated(options, processors=self._host.processors, host_name=self._host.name)
            with suppress(NoSuchNetwork):  # as with Docker, start tells
                self._networks.check(options.network)
            runtime = self._runs.choose_runtime(options.runtime)
            warnings = (*([other] if other else ()), *checked.warnings(options), *await self._runs.warnings(options))
            options = replace(options, mounts=_named(options.mounts))
            wanted = _wanted(options.mounts)
            reservation.volumes = tuple(each.name for each in wanted)
            async with self._volumes.making(wanted) as making:
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
                return await self._record(container, making)

    async def _with_profile(self, options: ContainerOptions) -> ContainerOptions:
        path = options.security.seccomp_path
        if not path:
            return options
        return replace(options, security=replace(options.security, seccomp=await self._runs.seccomp_profile(path)))

    def _with_volumes_from(self, options: ContainerOptions) -> ContainerOptions:
        others = []
        for name, read_only in map(read_volumes_from, options.mounts.volumes_from):
            try:
                other = self._ledger.registry.get(name)
            except NoSuchContainer as error:  # the docker command takes a 404 for the image's
                why = f'looking up container "{name}" for volumes-from: {error}'
                raise InvalidParameter(why, f"No such container: {name}") from error
            others.append((other.options.mounts, read_only))
        return replace(options, mounts=with_mounts_of_others(options.mounts, others)) if others else options

    async def _record(self, container: Container, making: Making) -> Container:
        """With its volumes in one transaction: none of them is ever there without the container that it is for."""
        created = self._ledger.event(container, Action.CREATE)
        await self._ledger.commit(PutContainer(container), *making.changes, created)
        try:
            await making.make()
        except BaseException:
            destroyed = self._ledger.event(container, Action.DESTROY)
            await self._ledger.commit(DeleteContainer(container.id), *making.undone, destroyed)
            raise
        self._ledger.registry.put(container)
        return container

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


def _named(mounts: Mounts) -> Mounts:
    """With a name for every anonymous volume."""
    named = (
        replace(mount, source=new_id()) if mount.kind is MountKind.VOLUME and not mount.source else mount
        for mount in mounts.mounts
    )
    return replace(mounts, mounts=tuple(named))


def _wanted(mounts: Mounts) -> list[Wanted]:
    return [
        Wanted(mount.source, mount.volume_labels, mount.volume_options, mount.volume_driver, mount.anonymous)
        for mount in mounts.mounts
        if mount.kind is MountKind.VOLUME
    ]
