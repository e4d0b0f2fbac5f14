"""What happened and happens, as a stream."""

from __future__ import annotations

from contextlib import aclosing

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import now
from apiserver.engine.events.log import EventLog
from apiserver.engine.events.match import matcher
from apiserver.errors import InvalidParameter
from apiserver.http.app import group_app
from apiserver.http.query import filters, string
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.wire.docker.events import action_word, event_filters, event_json
from apiserver.wire.gojson import parse_moment


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
        moment = now(self._clock)
        since = parse_moment("since", string(request, "since") or "", moment)
        until = parse_moment("until", string(request, "until") or "", moment)
        if since is not None and until is not None and since > until:
            raise InvalidParameter("`since` time cannot be after `until` time")
        async with aclosing(self._events.subscribe(match, since=since, until=until)) as events:
            stream = open_stream(request, "application/json", endless=True)
            async for event in events:
                await stream.write_json(event_json(event, request.version))
