"""What a request brings along to be let in at registries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from twisted.logger import Logger

from apiserver.engine.ports.registry import Credentials
from apiserver.errors import InvalidParameter, NoSuchRemoteImage, RegistryDenies, RegistryForbids, RegistryRefused
from apiserver.http.flavour import Flavour
from apiserver.http.request import Request
from apiserver.wire.registry_auth import AUTH_HEADER, CONFIG_HEADER, read_auth

log = Logger()


def sent_credentials(request: Request) -> Mapping[str, Credentials]:
    """By registry; see `read_auth`.

    Raises:
        InvalidParameter, NotImplementedYet
    """
    headers = request.requestHeaders
    auth, config = (headers.getRawHeaders(name, [b""])[0] for name in (AUTH_HEADER, CONFIG_HEADER))
    return read_auth(auth, config)


def dockers_credentials(request: Request) -> Mapping[str, Credentials]:
    """As `sent_credentials`; what cannot be read is as good as nothing, as to dockerd.

    Raises:
        NotImplementedYet
    """
    try:
        return sent_credentials(request)
    except InvalidParameter as error:
        log.info("{reference_id} {error}: it is left out", reference_id=request.reference_id, error=str(error))
        return {}


@contextmanager
def in_dockers_words(denied: str) -> Iterator[None]:
    """Statuses that are another's in Docker's flavour: see docs/decisions/registry-errors.md.

    Args:
        denied: what is said where a registry denies access without saying whether there is such an image; that is 404.
            Empty where it stays as it is.
    """
    try:
        yield
    except RegistryRefused as error:
        raise RegistryForbids(error.subject, Flavour.DOCKER.words(error)) from None
    except RegistryDenies as error:
        if not denied:
            raise
        raise NoSuchRemoteImage(error.subject, denied) from None
