"""A group whose handlers stream in every way that there is."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from apiserver.http.app import group_app
from apiserver.http.body import body_stream, json_body
from apiserver.http.errors import ClientGone
from apiserver.http.hijack import Duplex, hijack
from apiserver.http.reply import reply_json, reply_text
from apiserver.http.request import Request
from apiserver.http.stream import open_stream

PIECE = b"x" * 65536


class Streams:
    """
    Attributes:
        go: what waits for this goes on when it fires.
        seen: what handlers met, in order.
        sent: bytes that `down` has written.
        taken: bytes that `up` has read.
        read: what `raw-late` has read.
    """

    app = group_app()

    def __init__(self) -> None:
        self.go: Deferred[None] = Deferred()
        self.seen: list[str] = []
        self.sent = 0
        self.taken = 0
        self.read: list[bytes] = []
        self.duplex: Duplex | None = None

    @app.route("/now", methods=["GET"])
    def docker_now(self, request: Request) -> bytes:
        self.seen.append("now")
        return reply_text(request, "now")

    @app.route("/peer", methods=["GET"])
    def docker_peer(self, request: Request) -> bytes:
        return reply_json(request, [request.connection.peer, request.connection.listener, request.connection.id])

    @app.route("/later", methods=["GET"])
    async def docker_later(self, request: Request) -> bytes:
        self.seen.append("later")
        try:
            await self.go
        except CancelledError:
            self.seen.append("cancelled")
            raise
        return reply_text(request, "later")

    @app.route("/json", methods=["POST"])
    async def docker_json(self, request: Request) -> bytes:
        return reply_json(request, await json_body(request, dict[str, Any]))

    @app.route("/unread", methods=["POST"])
    def docker_unread(self, request: Request) -> bytes:
        return reply_text(request, "unread")

    @app.route("/up", methods=["POST"])
    async def docker_up(self, request: Request) -> bytes:
        body = body_stream(request)
        try:
            while piece := await body.read():
                self.taken += len(piece)
        except ClientGone:
            self.seen.append("gone")
            raise
        return reply_json(request, self.taken)

    @app.route("/hold", methods=["POST"])
    async def docker_hold(self, request: Request) -> bytes:
        """Reads nothing until it may."""
        await self.go
        return await self.docker_up(request)

    @app.route("/echo", methods=["POST"])
    async def docker_echo(self, request: Request) -> None:
        body, stream = body_stream(request), open_stream(request, "application/octet-stream")
        sent = b"y" * 1024 * 1024
        while await body.read():
            if self.sent < 8 * len(sent):
                self.sent += len(sent)
                request.write(sent)  # on purpose without waiting for the client
        await stream.write(b"end")

    @app.route("/down/<name:pieces>", methods=["GET"])
    async def docker_down(self, request: Request, pieces: str) -> None:
        stream = open_stream(request, "application/octet-stream")
        for _ in range(int(pieces)):
            await stream.write(PIECE)
            self.sent += len(PIECE)

    @app.route("/endless", methods=["GET"])
    async def docker_endless(self, request: Request) -> None:
        stream = open_stream(request, "application/json", endless=True)
        await stream.write_json({"first": True})
        try:
            await self.go
        except CancelledError:
            self.seen.append("cancelled")
            raise

    @app.route("/breaks", methods=["GET"])
    async def docker_breaks(self, request: Request) -> None:
        stream = open_stream(request, "application/json")
        await stream.write_json({"first": True})
        raise ZeroDivisionError("a bug")

    @app.route("/raw", methods=["POST"])
    async def docker_raw(self, request: Request) -> None:
        """Gives back in capitals what it gets, and says when that has ended."""
        self.duplex = duplex = hijack(request, "application/vnd.docker.raw-stream")
        try:
            while piece := await duplex.read():
                await duplex.write(piece.upper())
            await duplex.write(b"the end")
        except (CancelledError, ClientGone):
            self.seen.append("gone")
            raise

    @app.route("/raw-silent", methods=["POST"])
    async def docker_raw_silent(self, request: Request) -> None:
        """Reads and writes nothing until it may, then one word."""
        self.duplex = duplex = hijack(request, "application/vnd.docker.raw-stream")
        try:
            await self.go
        except CancelledError:
            self.seen.append("cancelled")
            raise
        await duplex.write(b"bye")

    @app.route("/raw-late", methods=["POST"])
    async def docker_raw_late(self, request: Request) -> None:
        """Reads nothing until it may, then all."""
        self.duplex = duplex = hijack(request, "application/vnd.docker.raw-stream")
        await self.go
        while piece := await duplex.read():
            self.read.append(piece)

    @app.route("/raw-down", methods=["POST"])
    async def docker_raw_down(self, request: Request) -> None:
        duplex = hijack(request, "application/vnd.docker.raw-stream")
        for _ in range(1024):
            await duplex.write(PIECE)
            self.sent += len(PIECE)
