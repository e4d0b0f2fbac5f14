"""Waiting for a container to end."""

from __future__ import annotations

from apiserver.engine.containers.services import Containers
from apiserver.engine.containers.wait import Condition
from apiserver.errors import InvalidParameter
from apiserver.http.app import group_app
from apiserver.http.query import string
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.wire.docker.wait import wait_json


class ContainerWaitGroup:
    """Waiting for a container to end."""

    app = group_app()

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    @app.route("/containers/<name:name>/wait", methods=["POST"])
    async def docker_wait(self, request: Request, name: str) -> None:
        # Subscribed before the head goes out: a client starts the container once it has it.
        waiting = self._containers.wait.watch(name, _condition(string(request, "condition")))
        stream = open_stream(request, "application/json", endless=True)
        await stream.write_json(wait_json(await waiting))


def _condition(text: str | None) -> Condition:
    try:
        return Condition(text or "not-running")
    except ValueError:
        raise InvalidParameter(f'invalid condition: "{text}"') from None
