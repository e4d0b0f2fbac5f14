"""URLs of a registry, and those of its proxy that stand for them; pure, and of the standard library alone."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}
_KEPT_IN_A_PATH = "/!$&'()*+,;=:@[]%~"
"""Besides letters, digits, `_.-`: what Go leaves as it is, and takes for no reason to write a path anew."""
_ELSEWHERE = "/-/"
_REGISTRY = 0


class Refused(Exception):
    """The registry wants something that is not done; the text says what."""


class Origin(NamedTuple):
    """Scheme, host name in lower case without brackets, and port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """As `Host` says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def split(url: str, asked: str = "") -> tuple[Origin, str]:
    """Origin and target (path and query) of an absolute URL, or of one that is relative to what was asked for.

    Raises:
        ValueError: it is none of HTTP.
    """
    parts = urlsplit(urljoin(asked, url))
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url[:200]!r} is no URL of HTTP")
    origin = Origin(parts.scheme, parts.hostname.lower(), _PORTS[parts.scheme] if parts.port is None else parts.port)
    return origin, _target(parts)


def _target(parts: SplitResult) -> str:
    path, query = parts.path or "/", f"?{parts.query}" if parts.query else ""
    if not re.fullmatch(r"/[^\x00-\x1f\x7f]*", path) or not re.fullmatch(r"[\x21-\x7e]*", query):
        raise ValueError(f"{(path + query)[:200]!r} has what stands in no URL")
    # Headers are read as Latin-1, so that a character is a byte.
    return _without_dots(quote(path, safe=_KEPT_IN_A_PATH, encoding="latin-1", errors="strict")) + query


def _without_dots(path: str) -> str:
    """As Go goes up and down in a path before it is asked for (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    _, *segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return f"/{'/'.join(kept)}"


class Places:
    """What the paths of one registry's proxy stand for: the registry itself, or `/-/N/...` another place that it named.

    Credentials may go to all of them: they are of its own host name, or where it sends for a token.

    Args:
        name: of the registry, for messages.
        registry: where it is.
    """

    def __init__(self, name: str, registry: Origin) -> None:
        self._name = name
        self._places = [registry]

    @property
    def registry(self) -> Origin:
        return self._places[_REGISTRY]

    def meant(self, path: str) -> tuple[Origin, str]:
        """Origin and target that a path of the proxy stands for.

        Raises:
            ValueError: for none.
        """
        if not path.startswith(_ELSEWHERE):
            return self.registry, path
        number, slash, target = path.removeprefix(_ELSEWHERE).partition("/")
        if not slash or not number.isdecimal() or not _REGISTRY < int(number) < len(self._places):
            raise ValueError(f"{path[:200]!r} stands for nothing")
        return self._places[int(number)], f"/{target}"

    def path_of_upload(self, url: str, asked: str = "") -> str:
        """The path that stands for where the registry wants an upload sent.

        Args:
            asked: which URL has led there.

        Raises:
            Refused: to another host, or in the clear.
        """
        origin, target = self._read(url, asked)
        if origin.host != self.registry.host:
            raise Refused(
                f"{self._name} wants the upload sent to another host, {origin}: "
                "neither credentials nor the image are sent there"
            )
        self._refuse_plain(origin)
        return self._path_of(origin, target)

    def path_of_realm(self, url: str) -> str:
        """The path that stands for where the registry sends for a token.

        Raises:
            Refused: in the clear.
        """
        origin, target = self._read(url)
        self._refuse_plain(origin)
        return self._path_of(origin, target)

    def _read(self, url: str, asked: str = "") -> tuple[Origin, str]:
        try:
            return split(url, asked)
        except ValueError as error:
            raise Refused(f"{self._name} names a place that cannot be read: {error}") from None

    def _refuse_plain(self, origin: Origin) -> None:
        if origin.scheme != "https" and self.registry.scheme == "https":
            raise Refused(f"{self._name} wants credentials at {origin}, where anybody could read them")

    def _path_of(self, origin: Origin, target: str) -> str:
        # Two slashes begin with the name of a host where a URL is relative.
        if origin == self.registry and not target.startswith((_ELSEWHERE, "//")):
            return target
        if origin not in self._places[1:]:
            self._places.append(origin)
        return f"{_ELSEWHERE}{self._places.index(origin, 1)}{target}"


def keeps_credentials(before: Origin, after: Origin) -> bool:
    """Whether those of a request go along where it is redirected: to the same host name, and not from TLS to none."""
    return before.host == after.host and not (before.scheme == "https" and after.scheme == "http")
