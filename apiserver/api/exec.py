"""Exec sessions: create, start, resize, inspect, remove."""

from __future__ import annotations

from apiserver.api.containers.attach import terminal_size
from apiserver.api.terminal_streams import open_and_carry, stream_type
from apiserver.deferreds import to_the_end
from apiserver.engine.containers.failures import ExecStarted
from apiserver.engine.containers.services import Containers
from apiserver.errors import InvalidArgument
from apiserver.http.app import group_app
from apiserver.http.body import json_body
from apiserver.http.hijack import hijack
from apiserver.http.query import libpod_bool
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.wire.detach_keys import read_keys
from apiserver.wire.docker import execs as docker
from apiserver.wire.docker.options.process import console_size
from apiserver.wire.libpod import execs as libpod


class ExecGroup:
    """Exec sessions: create, start, resize, inspect, remove."""

    app = group_app()

    def __init__(self, containers: Containers) -> None:
        self._execs = containers.execs
        self._registry = containers.registry

    @app.route("/containers/<name:name>/exec", methods=["POST"])
    async def docker_create(self, request: Request, name: str) -> bytes:
        body = await json_body(request, docker.CreateExecBody)
        size = console_size("ConsoleSize", body.console_size)
        return await self._create(request, name, body, body.argv, body.working_dir, size)

    @app.route("/exec/<name:exec_id>/start", methods=["POST"])
    async def docker_start(self, request: Request, exec_id: str) -> bytes | None:
        body = await json_body(request, docker.StartExecBody)
        return await self._start(request, exec_id, body.detach, console_size("ConsoleSize", body.console_size))

    @app.route("/exec/<name:exec_id>/resize", methods=["POST"])
    async def docker_resize(self, request: Request, exec_id: str) -> bytes:
        height, width = terminal_size(request)
        await to_the_end(self._execs.resize(exec_id, height, width))
        return reply_empty(request, 200)

    @app.route("/exec/<name:exec_id>/json", methods=["GET"])
    def docker_inspect(self, request: Request, exec_id: str) -> bytes:
        session = self._execs.get(exec_id)
        user = self._registry.by_id(session.container_id).options.process.user
        return reply_json(request, docker.exec_json(session, user))

    @app.route("/libpod/containers/<name:name>/exec", methods=["POST"])
    async def libpod_create(self, request: Request, name: str) -> bytes:
        body = await json_body(request, libpod.CreateExecBody)
        return await self._create(request, name, body, tuple(body.cmd or ()), body.directory, None)

    @app.route("/libpod/exec/<name:exec_id>/start", methods=["POST"])
    async def libpod_start(self, request: Request, exec_id: str) -> bytes | None:
        body = await json_body(request, libpod.StartExecBody)
        return await self._start(request, exec_id, body.detach, body.console_size)

    @app.route("/libpod/exec/<name:exec_id>/resize", methods=["POST"])
    async def libpod_resize(self, request: Request, exec_id: str) -> bytes:
        """A client that asks with `running` may be too early, or too late, and is not told."""
        height, width = terminal_size(request)
        try:
            await to_the_end(self._execs.resize(exec_id, height, width))
        except ExecStarted:
            if not libpod_bool(request, "running"):
                raise
        return reply_empty(request, 201)

    @app.route("/libpod/exec/<name:exec_id>/json", methods=["GET"])
    def libpod_inspect(self, request: Request, exec_id: str) -> bytes:
        return reply_json(request, libpod.exec_json(self._execs.get(exec_id)))

    @app.route("/libpod/exec/<name:exec_id>/remove", methods=["POST"])
    async def libpod_remove(self, request: Request, exec_id: str) -> bytes:
        body = await json_body(request, libpod.RemoveExecBody)
        await to_the_end(self._execs.remove(exec_id, force=body.force))
        return reply_empty(request, 200)

    async def _create(
        self,
        request: Request,
        name: str,
        body: docker.CreateExecBody | libpod.CreateExecBody,
        argv: tuple[str, ...],
        working_dir: str,
        size: tuple[int, int] | None,
    ) -> bytes:
        if not argv:
            raise InvalidArgument(
                "must provide a non-empty command to start an exec session", "No exec command specified"
            )
        read_keys(body.detach_keys)
        session = await to_the_end(
            self._execs.create(
                name,
                argv,
                env=tuple(body.env or ()),
                user=body.user,
                working_dir=working_dir,
                terminal=body.tty,
                attach_stdin=body.attach_stdin,
                attach_stdout=body.attach_stdout,
                attach_stderr=body.attach_stderr,
                privileged=body.privileged,
                detach_keys=body.detach_keys,
                console_size=size,
            )
        )
        return reply_json(request, {"Id": session.id}, 201)

    async def _start(self, request: Request, exec_id: str, detach: bool, size: tuple[int, int] | None) -> bytes | None:
        session = self._execs.startable(exec_id)
        if detach:
            await to_the_end(self._execs.start(exec_id, detach=True, console_size=size))
            return reply_empty(request, 200)
        # The head goes out before the process starts: docker-py loses what comes in one piece with it.
        duplex = hijack(request, stream_type(request, terminal=session.terminal))
        detached = await open_and_carry(
            duplex,
            self._execs.start(exec_id, console_size=size),
            flavour=request.flavour,
            terminal=session.terminal,
            stdin=session.attach_stdin,
            detach_keys=read_keys(session.detach_keys),
        )
        if detached:
            self._execs.detached(exec_id)
        return None
