"""What `docker login` sends."""

from __future__ import annotations

from apiserver.engine.names import DOCKER_HUB, InvalidReference, parse_reference
from apiserver.engine.ports.registry import Credentials
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.docker.options.body import Body
from apiserver.wire.registry_auth import is_text, registry_of


class AuthBody(Body, rename="lower"):
    """`AuthConfig` of Docker's API."""

    username: str | None = None
    password: str | None = None
    serveraddress: str | None = None
    identitytoken: str | None = None


def read_login(body: AuthBody) -> tuple[str, Credentials]:
    """The registry, `host[:port]`, and the credentials that it is to look at.

    Raises:
        InvalidParameter, NotImplementedYet
    """
    if body.identitytoken:
        raise NotImplementedYet("logging in with an identitytoken")
    if not body.username:
        raise InvalidParameter("username: it takes a name to log in")
    if not is_text(body.username):
        raise InvalidParameter("username: no registry knows one with a NUL")
    if "\n" in (body.password or ""):
        raise InvalidParameter("password: no registry knows one with a newline")
    host = registry_of(body.serveraddress or DOCKER_HUB)
    try:
        parse_reference(f"{host}/any")
    except InvalidReference:
        raise InvalidParameter(f"serveraddress: {host[:80]!r} is no registry") from None
    return host, Credentials(body.username, body.password or "")
