"""Logging in at a registry."""

from __future__ import annotations

from collections.abc import Callable

from apiserver.engine.images.push import Pushes
from apiserver.http.app import group_app
from apiserver.http.body import json_body
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.auth import AuthBody, read_login
from apiserver.wire.docker.pull import on_loopback


class AuthGroup:
    """Logging in at a registry."""

    app = group_app()

    def __init__(self, pushes: Callable[[], Pushes]) -> None:
        self._pushes = pushes

    @app.route("/auth", methods=["POST"])
    async def docker_auth(self, request: Request) -> bytes:
        """The registry itself is asked; nothing is kept here: a client sends its credentials with each request."""
        host, credentials = read_login(await json_body(request, AuthBody))
        await self._pushes().registry.login(host, credentials, False if on_loopback(host) else None)
        return reply_json(request, {"IdentityToken": "", "Status": "Login Succeeded"})
