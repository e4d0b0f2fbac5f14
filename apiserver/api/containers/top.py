"""What runs in a container."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from apiserver.engine.containers.failures import ContainerNotRunning
from apiserver.engine.containers.services import Containers
from apiserver.engine.ports.processes import ProcessTable
from apiserver.errors import Declined
from apiserver.http.app import group_app
from apiserver.http.query import integer, libpod_bool, string, strings
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.http.version import Version
from apiserver.jsonvalue import JsonObject
from apiserver.wire.libpod.top import descriptors, facts_json

SEPARATE = Version(4, 8)
"""From this version on a podman client sends each of its arguments as a `ps_args` of its own."""


class TopOfStopped(Declined):
    """Of a container that does not run, in Podman's words (pkg/domain/infra/abi/containers.go)."""

    cause = "top can only be used on running containers"
    libpod = "{cause}"


class ContainerTopGroup:
    """What runs in a container."""

    app = group_app()

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    @app.route("/containers/<name:name>/top", methods=["GET"])
    async def docker_top(self, request: Request, name: str) -> bytes:
        arguments = string(request, "ps_args", "-ef") or ""
        return reply_json(request, _table_json(await self._containers.top.table(name, arguments.split(), told=True)))

    @app.route("/libpod/containers/<name:name>/top", methods=["GET"])
    async def libpod_top(self, request: Request, name: str) -> bytes | None:
        """Podman's own columns, by name; with other arguments what the host's `ps` shows."""
        seconds = integer(request, "delay", 5, minimum=1) or 5
        arguments = strings(request, "ps_args")
        columns = descriptors(arguments)
        top = self._containers.top

        async def look(container: str) -> JsonObject:
            if columns is not None:
                return facts_json(await top.facts(container), columns)
            return _table_json(await top.table(container, _for_ps(arguments, request.version)))

        try:
            if not libpod_bool(request, "stream"):
                return reply_json(request, await look(name))
            async with aclosing(top.repeat(name, look, seconds)) as shown:
                first = await anext(shown)
                stream = open_stream(request, "application/json", endless=True)
                await stream.write_json(first)
                async for each in shown:
                    await stream.write_json(each)
        except ContainerNotRunning:
            raise TopOfStopped(name) from None
        return None


def _for_ps(arguments: Sequence[str], version: Version) -> list[str]:
    if len(arguments) == 1 and version < SEPARATE:
        return arguments[0].replace(",", " ").split()
    return [word for argument in arguments for word in argument.split()]


def _table_json(table: ProcessTable) -> JsonObject:
    return {"Titles": list(table.titles), "Processes": [list(row) for row in table.rows]}
