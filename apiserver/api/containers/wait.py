"""Waiting for a container to end."""

from __future__ import annotations

from apiserver.engine.containers.services import Containers
from apiserver.engine.containers.wait import Condition
from apiserver.errors import InvalidParameter, NoSuchContainer, NotImplementedYet
from apiserver.http.app import group_app
from apiserver.http.query import string, strings
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.wire.docker.wait import wait_json
from apiserver.wire.libpod.status import STATES
from apiserver.wire.libpod.wait import TEXT, exit_text


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

    @app.route("/libpod/containers/<name:name>/wait", methods=["POST"])
    async def libpod_wait(self, request: Request, name: str) -> None:
        """The exit code as text, once any of the conditions holds; of a removed container, for 5 minutes."""
        conditions = strings(request, "condition")
        if unknown := [each for each in conditions if each not in (*STATES, "healthy", "unhealthy")]:
            raise InvalidParameter(f'unknown container state: "{unknown[0]}"')
        wait = self._containers.wait
        try:
            container = self._containers.registry.get(name)
        except NoSuchContainer:
            if conditions or (kept := wait.code_of_removed(name)) is None:
                raise
            await open_stream(request, TEXT).write(exit_text(kept.exit_code))
            return
        if unserved := [each for each in conditions if each not in ("stopped", "exited")]:
            raise NotImplementedYet(f"waiting for the condition {unserved[0]}")
        # One that was never started has no end to tell of yet.
        waiting = wait.watch(container.id, Condition.NEXT_EXIT if container.run is None else Condition.NOT_RUNNING)
        stream = open_stream(request, TEXT, endless=True)
        await stream.write(exit_text((await waiting).code))


def _condition(text: str | None) -> Condition:
    try:
        return Condition(text or "not-running")
    except ValueError:
        raise InvalidParameter(f'invalid condition: "{text}"') from None
