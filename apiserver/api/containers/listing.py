"""Listing and inspecting containers."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import image_ids, mountpoints, networks_by_name, now
from apiserver.engine.containers.model import Container
from apiserver.engine.containers.services import Containers
from apiserver.engine.containers.signals import signal_number
from apiserver.engine.containers.sizes import Size
from apiserver.engine.images.service import Images
from apiserver.engine.networks.service import Networks
from apiserver.engine.system import System
from apiserver.engine.volumes.service import Volumes
from apiserver.errors import NotFound
from apiserver.http.app import group_app
from apiserver.http.query import docker_bool, filters, integer, libpod_bool
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker import sizes as docker_sizes
from apiserver.wire.docker.container_filters import LookUps, select, shows_stopped
from apiserver.wire.docker.inspect import Surroundings, container_json
from apiserver.wire.docker.listing import summary_json
from apiserver.wire.libpod import container_filters as libpod_filters
from apiserver.wire.libpod import inspect as libpod_inspect
from apiserver.wire.libpod import listing as libpod_listing
from apiserver.wire.libpod import sizes as libpod_sizes


class ContainerListGroup:
    """Listing and inspecting containers.

    Args:
        wall_clock: whose `seconds()` is the time of day, for "Up 3 minutes".
    """

    app = group_app()

    def __init__(
        self,
        containers: Containers,
        images: Images,
        networks: Networks,
        volumes: Volumes,
        system: System,
        wall_clock: IReactorTime,
    ) -> None:
        self._containers = containers
        self._images = images
        self._networks = networks
        self._volumes = volumes
        self._system = system
        self._clock = wall_clock

    @app.route("/containers/json", methods=["GET"])
    async def docker_list(self, request: Request) -> bytes:
        wanted, limit = filters(request), integer(request, "limit") or 0
        networks = networks_by_name(self._networks)
        ancestors = {name: await self._descendants(name) for name in wanted.get("ancestor", ())}
        names = await image_ids(self._images)
        shown = self._containers.registry.all()
        if not (docker_bool(request, "all") or limit > 0 or shows_stopped(wanted)):
            shown = tuple(container for container in shown if container.alive)
        chosen = select(shown, wanted, LookUps(self._containers.registry.get, lambda name: ancestors[name], networks))
        if limit > 0:
            chosen = chosen[:limit]
        sizes = await self._sizes(chosen) if docker_bool(request, "size") else None
        places, moment = mountpoints(self._volumes), now(self._clock)

        def entry(container: Container) -> JsonObject:
            return summary_json(container, networks, places, names, request.version, moment)

        if sizes is None:
            return reply_json(request, [entry(each) for each in chosen])
        return reply_json(request, [entry(each) | docker_sizes.summary_json(size) for each, size in sizes])

    @app.route("/containers/<name:name>/json", methods=["GET"])
    async def docker_inspect(self, request: Request, name: str) -> bytes:
        container = self._containers.registry.get(name)
        size: JsonObject = {}
        if docker_bool(request, "size"):
            size = docker_sizes.inspect_json(await self._containers.sizes.of(container))
            container = self._containers.registry.by_id(container.id)  # it may have moved on
        host = self._system.host
        inspection = await self._containers.inspect.of(container)
        around = Surroundings(
            networks=networks_by_name(self._networks),
            mountpoints=mountpoints(self._volumes),
            storage_driver=host.storage_driver,
            unified=host.cgroup_version == "2",
            host_name=host.name,
            exec_ids=tuple(session.id for session in self._containers.execs.of(container.id)),
            facts=inspection.facts,
            lower=inspection.image.directories if inspection.image is not None else (),
        )
        return reply_json(request, container_json(container, around, request.version) | size)

    @app.route("/libpod/containers/json", methods=["GET"])
    async def libpod_list(self, request: Request) -> bytes:
        """The oldest first, as Podman has them, also of the newest few.

        `sync` changes nothing: what is shown is always what is known of the processes themselves.
        """
        wanted, limit = filters(request), integer(request, "last") or integer(request, "limit") or 0
        libpod_bool(request, "sync")
        shown = self._containers.registry.all()
        if not (libpod_bool(request, "all") or limit > 0 or wanted):
            shown = tuple(container for container in shown if container.alive)
        find, network = self._containers.registry.get, self._networks.get
        chosen = libpod_filters.select(shown, wanted, find, network, now(self._clock))
        if limit > 0:
            chosen = chosen[:limit]
        chosen.reverse()
        # Clients send the one, the documentation has had both.
        namespaces = libpod_bool(request, "namespace", libpod_bool(request, "namespaces"))
        sized: Sequence[tuple[Container, Size | None]] = [(each, None) for each in chosen]
        if libpod_bool(request, "size"):
            sized = await self._sizes(chosen)
        entries = []
        for container, size in sized:
            entry = libpod_listing.summary_json(container)
            if size is not None:
                entry |= libpod_sizes.summary_json(size)
            if namespaces:
                entry |= libpod_listing.namespaces_json(await self._containers.top.namespaces(container))
            entries.append(entry)
        return reply_json(request, entries)

    @app.route("/libpod/containers/<name:name>/exists", methods=["GET"])
    def libpod_exists(self, request: Request, name: str) -> bytes:
        self._containers.registry.get(name)
        return reply_empty(request)

    @app.route("/libpod/containers/<name:name>/json", methods=["GET"])
    async def libpod_inspect(self, request: Request, name: str) -> bytes:
        container = self._containers.registry.get(name)
        size: JsonObject = {}
        if libpod_bool(request, "size"):
            size = libpod_sizes.inspect_json(await self._containers.sizes.of(container))
            container = self._containers.registry.by_id(container.id)
        inspection = await self._containers.inspect.of(container)
        around = libpod_inspect.Surroundings(
            networks=networks_by_name(self._networks),
            mountpoints=mountpoints(self._volumes),
            storage_driver=self._system.host.storage_driver,
            cgroup_manager=self._system.host.cgroup_manager,
            unified=self._system.host.cgroup_version == "2",
            host_name=self._system.host.name,
            exec_ids=tuple(session.id for session in self._containers.execs.of(container.id)),
            facts=inspection.facts,
            image=inspection.image,
        )
        stop_signal = signal_number(container.options.process.stop_signal or "SIGTERM")
        shown = libpod_inspect.container_json(container, around, request.version, stop_signal)
        return reply_json(request, shown | size)

    async def _sizes(self, containers: Sequence[Container]) -> Sequence[tuple[Container, Size]]:
        """Those that are still there when all are counted, as they are then; one after another, as they take disk time.

        A client that leaves ends it, as it ends every handler.
        """
        sizes = [(each.id, await self._containers.sizes.of(each)) for each in containers]
        find = self._containers.registry.find
        return [(container, size) for each, size in sizes if (container := find(each)) is not None]

    async def _descendants(self, name: str) -> frozenset[str]:
        """Ids of an image and of all that were built upon it; none where there is no such image."""
        try:
            ids = {(await self._images.find(name)).id}
        except NotFound:
            return frozenset()
        children: dict[str, list[str]] = {}
        for image in await self._images.all():
            if image.parent is not None:
                children.setdefault(image.parent, []).append(image.id)
        waiting = list(ids)
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in ids:
                    ids.add(child)
                    waiting.append(child)
        return frozenset(ids)
