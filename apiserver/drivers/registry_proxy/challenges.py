"""Whom a registry lets in, and where it sends for a token: `WWW-Authenticate`; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apiserver.drivers.registry_proxy.origins import Places


class Challenge(NamedTuple):
    """One of `WWW-Authenticate` (RFC 9110, 11.6.1): `scheme` in lower case, names of parameters too."""

    scheme: str
    parameters: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        said = ",".join(f'{name}="{_QUOTED.sub(_escaped, value)}"' for name, value in self.parameters)
        return f"{self.scheme.capitalize()} {said}".rstrip()


_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[ \t,]*({_WORD})(?:[ \t]+|$)")
_PARAMETER = re.compile(rf'[ \t,]*({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))[ \t]*')
_QUOTED = re.compile(r'["\\]')
_ESCAPE = re.compile(r"\\(.)")


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def challenges(values: Sequence[str]) -> Iterator[Challenge]:
    """Those of all `WWW-Authenticate` headers, each up to what cannot be read, as containers/image reads them."""
    for value in values:
        at = 0
        while value[at:].strip(" \t,"):
            scheme = _SCHEME.match(value, at)
            if scheme is None:
                break
            at, parameters = scheme.end(), []
            while found := _PARAMETER.match(value, at):
                name, quoted, bare = found.groups()
                parameters.append((name.lower(), bare if quoted is None else _ESCAPE.sub(r"\1", quoted)))
                at = found.end()
            yield Challenge(scheme[1].lower(), tuple(parameters))


def through_the_proxy(values: Sequence[str], places: Places, proxy: str) -> list[str]:
    """`WWW-Authenticate` for skopeo, which goes for its token to the proxy: Basic and Bearer, others it knows not.

    Args:
        proxy: URL of the proxy, without a path.

    Raises:
        Refused: the registry sends for it to where anybody could read credentials, or nobody knows where.
    """
    said = []
    for challenge in challenges(values):
        if challenge.scheme == "basic":
            said.append(str(Challenge("basic", (("realm", dict(challenge.parameters).get("realm", "registry")),))))
        elif challenge.scheme == "bearer":
            pairs = [
                (name, proxy + places.path_of_realm(value) if name == "realm" else value)
                for name, value in challenge.parameters
            ]
            said.append(str(Challenge("bearer", tuple(pairs))))
    return said
