"""The life of a container: create, start, stop, restart, kill, remove."""

from __future__ import annotations

from apiserver.api.containers.words import docker_begins
from apiserver.deferreds import to_the_end
from apiserver.engine.containers.registry import NameTaken
from apiserver.engine.containers.services import Containers
from apiserver.engine.containers.stop import DEFAULT, Default
from apiserver.engine.names import InvalidContainerName
from apiserver.engine.networks.service import Networks
from apiserver.errors import EngineError, NoSuchContainer, NoSuchNetwork, NotImplementedYet
from apiserver.http.app import group_app
from apiserver.http.body import json_body
from apiserver.http.query import docker_bool, integer, libpod_bool, string
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.create import CreateBody, asked_name, created_json, read_create

_NO_NEW_NAME = "Error when allocating new name"


class ContainerLifeGroup:
    """The life of a container: create, start, stop, restart, kill, remove."""

    app = group_app()

    def __init__(self, containers: Containers, networks: Networks) -> None:
        self._containers = containers
        self._networks = networks

    @app.route("/containers/create", methods=["POST"])
    async def docker_create(self, request: Request) -> bytes:
        body = await json_body(request, CreateBody)
        options = read_create(body, self._network_name)
        container = await to_the_end(
            self._containers.create.create(
                asked_name(string(request, "name")), body.image, options, string(request, "platform")
            )
        )
        return reply_json(request, created_json(container), 201)

    def _network_name(self, name_or_id: str) -> str:
        """The engine's own; of a network that is missing start tells: at a 404 of create the CLI pulls the image."""
        try:
            return self._networks.get(name_or_id).name
        except NoSuchNetwork:
            return name_or_id

    @app.route("/containers/<name:name>/start", methods=["POST"])
    async def docker_start(self, request: Request, name: str) -> bytes:
        if string(request, "checkpoint"):
            raise NotImplementedYet("the option checkpoint (--checkpoint)")
        await to_the_end(self._containers.start.start(name))
        return reply_empty(request)

    @app.route("/containers/<name:name>/stop", methods=["POST"])
    async def docker_stop(self, request: Request, name: str) -> bytes:
        await to_the_end(
            self._containers.stop.stop(name, stop_timeout(request), signal=string(request, "signal") or "")
        )
        return reply_empty(request)

    @app.route("/containers/<name:name>/restart", methods=["POST"])
    async def docker_restart(self, request: Request, name: str) -> bytes:
        await to_the_end(
            self._containers.restart.restart(name, stop_timeout(request), signal=string(request, "signal") or "")
        )
        return reply_empty(request)

    @app.route("/containers/<name:name>/kill", methods=["POST"])
    async def docker_kill(self, request: Request, name: str) -> bytes:
        with docker_begins(f"cannot kill container: {name}", EngineError):
            await to_the_end(self._containers.kill.kill(name, string(request, "signal") or ""))
        return reply_empty(request)

    @app.route("/containers/<name:name>", methods=["DELETE"])
    async def docker_remove(self, request: Request, name: str) -> bytes:
        if docker_bool(request, "link"):
            raise NotImplementedYet("the option link (--link)")
        await to_the_end(
            self._containers.remove.remove(name, force=docker_bool(request, "force"), volumes=docker_bool(request, "v"))
        )
        return reply_empty(request)

    @app.route("/containers/<name:name>/rename", methods=["POST"])
    async def docker_rename(self, request: Request, name: str) -> bytes:
        asked = string(request, "name") or ""
        with docker_begins(_NO_NEW_NAME, InvalidContainerName):
            new = asked_name(f"/{asked}" if asked and not asked.startswith("/") else asked)
        return await self._rename(request, name, new, to_its_own=False)

    @app.route("/libpod/containers/<name:name>/rename", methods=["POST"])
    async def libpod_rename(self, request: Request, name: str) -> bytes:
        return await self._rename(request, name, string(request, "name"), to_its_own=True)

    async def _rename(self, request: Request, name: str, new: str | None, *, to_its_own: bool) -> bytes:
        if not new:
            raise InvalidContainerName("", "Neither old nor new names may be empty")
        with docker_begins(_NO_NEW_NAME, NameTaken, InvalidContainerName):
            await to_the_end(self._containers.rename.rename(name, new, to_its_own=to_its_own))
        return reply_empty(request)

    @app.route("/libpod/containers/<name:name>/init", methods=["POST"])
    async def libpod_init(self, request: Request, name: str) -> bytes:
        await to_the_end(self._containers.start.init(name))
        return reply_empty(request)

    @app.route("/libpod/containers/<name:name>/start", methods=["POST"])
    async def libpod_start(self, request: Request, name: str) -> bytes:
        await to_the_end(self._containers.start.start(name))
        return reply_empty(request)

    @app.route("/libpod/containers/<name:name>/stop", methods=["POST"])
    async def libpod_stop(self, request: Request, name: str) -> bytes:
        libpod_bool(request, "ignore")  # one that does not run is 304 in any case, which is no error to a client
        await to_the_end(self._containers.stop.stop(name, _libpod_timeout(request), initialized=True))
        return reply_empty(request)

    @app.route("/libpod/containers/<name:name>/restart", methods=["POST"])
    async def libpod_restart(self, request: Request, name: str) -> bytes:
        await to_the_end(self._containers.restart.restart(name, _libpod_timeout(request, "t")))
        return reply_empty(request)

    @app.route("/libpod/containers/<name:name>/kill", methods=["POST"])
    async def libpod_kill(self, request: Request, name: str) -> bytes:
        await to_the_end(self._containers.kill.kill(name, string(request, "signal") or ""))
        return reply_empty(request)

    @app.route("/libpod/containers/<name:name>", methods=["DELETE"])
    async def libpod_remove(self, request: Request, name: str) -> bytes:
        """Forced, it waits as a stop does. `depend` finds nobody: no container has another one's namespaces yet."""
        volumes = libpod_bool(request, "volumes", libpod_bool(request, "v"))
        libpod_bool(request, "depend")
        timeout = _libpod_timeout(request)
        force, ignore = libpod_bool(request, "force"), libpod_bool(request, "ignore")
        try:
            container_id = self._containers.registry.get(name).id
            await to_the_end(
                self._containers.remove.remove(container_id, force=force, volumes=volumes, timeout=timeout)
            )
        except NoSuchContainer:
            if not ignore:
                raise NothingToRemove(name) from None
            return reply_json(request, [])
        return reply_json(request, [{"Id": container_id}])


class NothingToRemove(NoSuchContainer):
    """Podman says it the other way round here."""

    libpod = 'no container with ID or name "{subject}" found: {cause}'


def _libpod_timeout(request: Request, *other_names: str) -> float | Default:
    """Whole seconds, `timeout` or another name of it; without one it is the container's own."""
    for name in ("timeout", *other_names):
        seconds = integer(request, name, minimum=0)
        if seconds is not None:
            return float(seconds)
    return DEFAULT


def stop_timeout(request: Request) -> float | Default | None:
    """`t` in seconds; below 0 it waits for ever."""
    seconds = integer(request, "t")
    if seconds is None:
        return DEFAULT
    return float(seconds) if seconds >= 0 else None
