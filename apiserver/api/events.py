"""What happened and happens, as a stream."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import now
from apiserver.engine.events.log import EventLog
from apiserver.engine.events.match import matcher
from apiserver.errors import InvalidParameter
from apiserver.http.app import group_app
from apiserver.http.query import docker_bool, filters, libpod_bool, string
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.wire.docker.events import action_word, event_filters, event_json, is_told
from apiserver.wire.gojson import EPOCH, parse_moment
from apiserver.wire.libpod import events as libpod


class EventsGroup:
    """What happened and happens, as a stream.

    Args:
        wall_clock: whose `seconds()` is the time of day, for `since=10m`.
    """

    app = group_app()

    def __init__(self, events: EventLog, wall_clock: IReactorTime) -> None:
        self._events = events
        self._clock = wall_clock

    @app.route("/events", methods=["GET"])
    async def docker_events(self, request: Request) -> None:
        match = matcher(event_filters(filters(request)), action_word)
        since, until = self._span(request)
        if not docker_bool(request, "stream", True):  # Podman's addition to Docker's route
            until = until or now(self._clock)
        async with aclosing(self._events.subscribe(match, since=since, until=until)) as events:
            stream = open_stream(request, "application/json", endless=True)
            async for event in events:
                if is_told(event):
                    await stream.write_json(event_json(event, request.version))

    @app.route("/libpod/events", methods=["GET"])
    async def libpod_events(self, request: Request) -> None:
        match = matcher(libpod.event_filters(filters(request)), libpod.action_word)
        since, until = self._span(request, ahead=True)
        if not libpod_bool(request, "stream", True):
            until = until or now(self._clock)
        if until is not None and since is None:
            since = EPOCH  # an end alone means all that was before it
        async with aclosing(self._events.subscribe(match, since=since, until=until)) as events:
            stream = open_stream(request, "application/json", endless=True)
            async for event in events:
                if libpod.is_told(event, request.version):
                    await stream.write_json(libpod.event_json(event, request.version))

    def _span(self, request: Request, *, ahead: bool = False) -> tuple[datetime | None, datetime | None]:
        """From when to when.

        Args:
            ahead: a duration is the time from now to the end, as Podman has it; to Docker all are in the past.
        """
        moment = now(self._clock)
        since = parse_moment("since", string(request, "since") or "", moment)
        until = parse_moment("until", string(request, "until") or "", moment, ahead=ahead)
        if since is not None and until is not None and since > until:
            raise InvalidParameter("`since` time cannot be after `until` time")
        return since, until
