"""Where a push may go: a registry says for each upload where it is to be sent, and skopeo sends credentials along."""

from __future__ import annotations

from urllib.parse import urlsplit

from apiserver.errors import RegistryFailed, RegistryUnreachable

_DOCKER_IO = {"docker.io": "registry-1.docker.io"}
_FOR_A_TOKEN = frozenset({"GET", "POST"})


class PushRequests:
    """Looks at each request of one push before it is sent.

    Args:
        registry: `HOST[:PORT]` of the reference.
    """

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._address = _DOCKER_IO.get(registry, registry)
        self._host = urlsplit(f"//{self._address}").hostname
        self._plain = False
        self._seen = False

    def look(self, method: str, url: str) -> None:
        """
        Args:
            url: not what a request is redirected to: skopeo sends credentials there to the same host alone.

        Raises:
            RegistryUnreachable: the registry wants credentials, or what is pushed, where they are not to go.
        """
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise RegistryUnreachable(f"{self._registry} names a place that cannot be read: {error}") from error
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        # What each registry is asked first, until it answers. Whoever is asked for a token there gets a query.
        if (method, parts.netloc, parts.path, parts.query) == ("GET", self._address, "/v2/", ""):
            self._seen, self._plain = True, parts.scheme == "http"
        elif parts.hostname != self._host and method not in _FOR_A_TOKEN:
            raise RegistryUnreachable(
                f"{self._registry} wants the upload sent to another host, {where}: "
                "neither credentials nor the image are sent there"
            )
        elif parts.scheme != "https" and not self._plain:
            raise RegistryUnreachable(f"{self._registry} wants credentials at {where}, where anybody could read them")

    def check_seen(self) -> None:
        """To be called after a push.

        Raises:
            RegistryFailed: this skopeo does not tell what it asks for, so nothing was looked at.
        """
        if not self._seen:
            raise RegistryFailed(f"skopeo did not tell what it asked {self._registry} for; the image may be there")
