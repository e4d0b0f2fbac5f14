"""Waiting for a container to end, or for another state of it."""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred

from apiserver.deferreds import first_of
from apiserver.engine.containers.model import Container, State
from apiserver.engine.containers.services import Containers
from apiserver.engine.containers.wait import Condition, WaitResult
from apiserver.errors import InvalidParameter, NoSuchContainer, NotImplementedYet
from apiserver.http.app import group_app
from apiserver.http.query import string, strings
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.wire.docker.wait import wait_json
from apiserver.wire.gojson import parse_duration
from apiserver.wire.libpod.wait import TEXT, exit_text, met_text, read_conditions


class ContainerWaitGroup:
    """Waiting for a container to end, or for another state of it."""

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
        """A code as text once any of the conditions holds; of a removed container the code it had, for 5 minutes."""
        wanted = read_conditions(strings(request, "condition"))
        _check_interval(string(request, "interval"))
        wait = self._containers.wait
        try:
            container = self._containers.registry.get(name)
        except NoSuchContainer:
            if wanted.given or (kept := wait.code_of_removed(name)) is None:
                raise
            await open_stream(request, TEXT).write(exit_text(kept.exit_code))
            return
        if wanted.health:
            raise NotImplementedYet(f"waiting for the condition {wanted.health}")
        waiting: list[Deferred[WaitResult | Container]] = []
        if wanted.end:
            # One that has not run yet has no end to tell of.
            idle = container.run is None or container.state is State.INITIALIZED
            condition = Condition.NEXT_EXIT if idle else Condition.NOT_RUNNING
            waiting.append(cast("Deferred[WaitResult | Container]", wait.watch(container.id, condition)))
        if wanted.states or not wanted.end:
            waiting.append(cast("Deferred[WaitResult | Container]", wait.enter(container.id, wanted.states)))
        stream = open_stream(request, TEXT, endless=True)
        await stream.write(met_text(await first_of(*waiting), wanted))


def _check_interval(text: str | None) -> None:
    """How often Podman would look; nothing here does, who waits is told."""
    if text is None:
        return
    try:
        parse_duration(text)
    except ValueError:
        raise InvalidParameter(f'invalid value for interval: "{text[:64]}" is no duration') from None


def _condition(text: str | None) -> Condition:
    try:
        return Condition(text or "not-running")
    except ValueError:
        raise InvalidParameter(f'invalid condition: "{text}"') from None
