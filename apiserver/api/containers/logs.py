"""What a container has said."""

from __future__ import annotations

import re
from contextlib import aclosing
from datetime import datetime

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import now
from apiserver.engine.containers.services import Containers
from apiserver.errors import InvalidParameter
from apiserver.http.app import group_app
from apiserver.http.query import docker_bool, libpod_bool, string
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.wire.docker.options.logging import log_attributes
from apiserver.wire.docker.versions import V1_42
from apiserver.wire.frames import MULTIPLEXED, RAW
from apiserver.wire.gojson import ZERO_TIME, parse_moment
from apiserver.wire.log_lines import LogLines

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)


class ContainerLogsGroup:
    """What a container has said.

    Args:
        wall_clock: whose `seconds()` is the time of day, for `since=10m`.
    """

    app = group_app()

    def __init__(self, containers: Containers, wall_clock: IReactorTime) -> None:
        self._containers = containers
        self._clock = wall_clock

    @app.route("/containers/<name:name>/logs", methods=["GET"])
    async def docker_logs(self, request: Request, name: str) -> None:
        stdout, stderr = docker_bool(request, "stdout"), docker_bool(request, "stderr")
        container = self._containers.registry.get(name)
        if not (stdout or stderr):
            raise InvalidParameter("Bad parameters: you must choose at least one stream")
        follow, moment = docker_bool(request, "follow"), now(self._clock)
        until = string(request, "until") or "0"
        terminal = container.options.process.terminal
        lines = LogLines(
            terminal=terminal,
            timestamps=docker_bool(request, "timestamps"),
            details=log_attributes(container) if docker_bool(request, "details") else None,
        )
        framed = not terminal and request.version >= V1_42
        batches = self._containers.logs.read(
            container.id,
            stdout=stdout,
            stderr=stderr,
            since=parse_moment("since", string(request, "since") or "", moment),
            until=None if until == "0" else parse_moment("until", until, moment),
            tail=_tail(string(request, "tail")),
            follow=follow,
        )
        async with aclosing(batches):
            stream = open_stream(request, MULTIPLEXED if framed else RAW, endless=follow)
            async for records in batches:
                await stream.write(lines.encode_all(records))

    @app.route("/libpod/containers/<name:name>/logs", methods=["GET"])
    async def libpod_logs(self, request: Request, name: str) -> None:
        """As Docker's, but framed also where the container has a terminal."""
        stdout, stderr = libpod_bool(request, "stdout"), libpod_bool(request, "stderr")
        container = self._containers.registry.get(name)
        if not (stdout or stderr):
            raise InvalidParameter("you must choose at least one stream")
        follow, moment = libpod_bool(request, "follow"), now(self._clock)
        lines = LogLines(terminal=False, timestamps=libpod_bool(request, "timestamps"))
        batches = self._containers.logs.read(
            container.id,
            stdout=stdout,
            stderr=stderr,
            since=_libpod_moment(request, "since", moment),
            until=_libpod_moment(request, "until", moment),
            tail=_libpod_tail(string(request, "tail")),
            follow=follow,
        )
        async with aclosing(batches):
            stream = open_stream(request, MULTIPLEXED, endless=follow)
            async for records in batches:
                await stream.write(lines.encode_all(records))


def _libpod_moment(request: Request, name: str, moment: datetime) -> datetime | None:
    """Podman's clients send Go's zero time where they mean none; a span of `until` begins now (ParseInputTime)."""
    text, ahead = string(request, name) or "", name == "until"
    if text == ZERO_TIME or (ahead and text == "0"):
        return None
    return parse_moment(name, text, moment, ahead=ahead)


def _tail(text: str | None) -> int | None:
    """A number of lines; what is none (`all`) or negative is all of them."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 15:
        return None
    return int(text)


def _libpod_tail(text: str | None) -> int | None:
    """As Podman: `all`, or a number, of which a negative one is all of them.

    Raises:
        InvalidParameter
    """
    if text is None or text == "all":
        return None
    if not _NUMBER.fullmatch(text):
        raise InvalidParameter(f"failed to parse query parameter 'tail': {text[:64]!r} is no number of lines")
    return int(text) if int(text) >= 0 else None
