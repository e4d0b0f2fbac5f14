"""What a request brings along to be let in at registries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from apiserver.engine.ports.registry import Credentials
from apiserver.errors import RegistryForbids, RegistryRefused
from apiserver.http.request import Request
from apiserver.wire.registry_auth import AUTH_HEADER, CONFIG_HEADER, read_auth


def sent_credentials(request: Request) -> Mapping[str, Credentials]:
    """By registry; see `read_auth`.

    Raises:
        InvalidParameter, NotImplementedYet
    """
    headers = request.requestHeaders
    auth, config = (headers.getRawHeaders(name, [b""])[0] for name in (AUTH_HEADER, CONFIG_HEADER))
    return read_auth(auth, config)


@contextmanager
def refused_as_forbidden() -> Iterator[None]:
    """403 where a registry wants other credentials: at a 401 the docker command asks for a name and a password.

    It does so without a terminal, too, and then waits for ever; Docker's own daemon never answers so.
    """
    try:
        yield
    except RegistryRefused as error:
        raise RegistryForbids(error.subject) from error
