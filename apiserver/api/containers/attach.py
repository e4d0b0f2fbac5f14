"""Clients at the terminal or the standard streams of a container."""

from __future__ import annotations

from collections.abc import Sequence

from apiserver.api.terminal_streams import carry, opened, stream_type
from apiserver.deferreds import to_the_end
from apiserver.engine.containers.services import Containers
from apiserver.errors import InvalidParameter
from apiserver.http.app import group_app
from apiserver.http.hijack import hijack
from apiserver.http.query import docker_bool, given, integer, libpod_bool, string
from apiserver.http.reply import reply_empty
from apiserver.http.request import Request
from apiserver.wire.detach_keys import read_keys

_STREAMS = ("stdin", "stdout", "stderr")


class ContainerAttachGroup:
    """Clients at the terminal or the standard streams of a container."""

    app = group_app()

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    @app.route("/containers/<name:name>/attach", methods=["POST"])
    async def docker_attach(self, request: Request, name: str) -> None:
        keys = read_keys(string(request, "detachKeys") or "")
        wanted = [docker_bool(request, stream) for stream in _STREAMS]
        stream, logs = docker_bool(request, "stream"), docker_bool(request, "logs")
        await self._attach(request, name, wanted, stream=stream, logs=logs, keys=keys)

    @app.route("/containers/<name:name>/resize", methods=["POST"])
    async def docker_resize(self, request: Request, name: str) -> bytes:
        height, width = terminal_size(request)
        await to_the_end(self._containers.resize.resize(name, height, width))
        return reply_empty(request, 200)

    @app.route("/libpod/containers/<name:name>/attach", methods=["POST"])
    async def libpod_attach(self, request: Request, name: str) -> None:
        """All three streams where the client names none; it goes on unless it says not to."""
        keys = read_keys(string(request, "detachKeys") or "")
        unnamed = not any(given(request, stream) for stream in _STREAMS)
        wanted = [libpod_bool(request, stream, unnamed) for stream in _STREAMS]
        if not any(wanted):
            raise InvalidParameter("at least one of stdin, stdout, stderr must be true")
        stream, logs = libpod_bool(request, "stream", True), libpod_bool(request, "logs")
        if not (stream or logs):
            raise InvalidParameter("at least one of Logs or Stream must be set")
        await self._attach(request, name, wanted, stream=stream, logs=logs, keys=keys)

    @app.route("/libpod/containers/<name:name>/resize", methods=["POST"])
    async def libpod_resize(self, request: Request, name: str) -> bytes:
        height, width = terminal_size(request)
        await to_the_end(self._containers.resize.resize(name, height, width))
        return reply_empty(request, 200)

    async def _attach(
        self, request: Request, name: str, wanted: Sequence[bool], *, stream: bool, logs: bool, keys: bytes | None
    ) -> None:
        """
        Args:
            wanted: which of standard input, output and error.
        """
        container = self._containers.registry.get(name)
        terminal = container.options.process.terminal
        stdin = wanted[0] and stream and container.options.process.stdin_open
        streams = await opened(
            self._containers.attach.attach(
                container.id, stdin=stdin, stdout=wanted[1], stderr=wanted[2], stream=stream, logs=logs
            )
        )
        try:
            duplex = hijack(request, stream_type(request, terminal=terminal))
            if await carry(duplex, streams, terminal=terminal, stdin=stdin, detach_keys=keys):
                self._containers.attach.detached(container.id)
        finally:
            streams.close()


def terminal_size(request: Request) -> tuple[int, int]:
    """`h` and `w`."""
    height, width = integer(request, "h", minimum=0, maximum=65535), integer(request, "w", minimum=0, maximum=65535)
    if height is None or width is None:
        raise InvalidParameter(f"{'h' if height is None else 'w'}: the size of a terminal needs both h and w")
    return height, width
