"""Listing and inspecting containers."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import mountpoints, networks_by_name, now
from apiserver.engine.containers.services import Containers
from apiserver.engine.images.service import Images
from apiserver.engine.networks.service import Networks
from apiserver.engine.system import System
from apiserver.engine.volumes.service import Volumes
from apiserver.errors import NotFound
from apiserver.http.app import group_app
from apiserver.http.query import docker_bool, filters, integer
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.container_filters import LookUps, select, shows_stopped
from apiserver.wire.docker.inspect import Surroundings, container_json
from apiserver.wire.docker.listing import summary_json


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
        shown = self._containers.registry.all()
        if not (docker_bool(request, "all") or limit > 0 or shows_stopped(wanted)):
            shown = tuple(container for container in shown if container.alive)
        chosen = select(shown, wanted, LookUps(self._containers.registry.get, lambda name: ancestors[name], networks))
        if limit > 0:
            chosen = chosen[:limit]
        places, moment = mountpoints(self._volumes), now(self._clock)
        return reply_json(request, [summary_json(each, networks, places, request.version, moment) for each in chosen])

    @app.route("/containers/<name:name>/json", methods=["GET"])
    def docker_inspect(self, request: Request, name: str) -> bytes:
        container = self._containers.registry.get(name)
        host = self._system.host
        around = Surroundings(
            networks=networks_by_name(self._networks),
            mountpoints=mountpoints(self._volumes),
            storage_driver=host.storage_driver,
            unified=host.cgroup_version == "2",
            exec_ids=tuple(session.id for session in self._containers.execs.of(container.id)),
        )
        return reply_json(request, container_json(container, around, request.version))

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
