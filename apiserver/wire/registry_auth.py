"""Credentials as clients send them with a request: `X-Registry-Auth` and `X-Registry-Config`, base64 of JSON.

Docker's clients send one object, `{"username","password","serveraddress","identitytoken"}`, or `{}` for nobody;
Podman's send one without `serveraddress`, or an object of such objects by registry or by part of one: `quay.io/team`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from apiserver.engine.names import DOCKER_HUB
from apiserver.engine.ports.registry import Credentials
from apiserver.errors import InvalidParameter, NotImplementedYet

AUTH_HEADER = b"X-Registry-Auth"
CONFIG_HEADER = b"X-Registry-Config"

_FIELDS = frozenset({"username", "password", "email", "auth", "serveraddress", "identitytoken", "registrytoken"})
_HUB_HOSTS = frozenset({"index.docker.io", "registry-1.docker.io", "docker.io", "registry.hub.docker.com"})


def read_auth(auth: bytes | None, config: bytes | None = None) -> Mapping[str, Credentials]:
    """The credentials of a request by registry, or by part of one; under the empty name those without one.

    Args:
        auth: the value of `X-Registry-Auth`; None or empty for none. It wins over `config`.
        config: the value of `X-Registry-Config`.

    Raises:
        InvalidParameter: it is no base64, no JSON, or not of that shape. Nothing of it is in the message.
        NotImplementedYet: it holds a registry token, which our tools take from their arguments alone.
    """
    found: dict[str, Credentials] = {}
    for name, raw in ((CONFIG_HEADER, config), (AUTH_HEADER, auth)):
        value = _decoded(name.decode(), raw)
        if name == CONFIG_HEADER or _by_registry(value):
            for registry, each in value.items():
                _add(found, name.decode(), registry, each)
        else:
            _add(found, name.decode(), None, value)
    return found


def credentials(value: object, what: str) -> Credentials | None:
    """One object in Docker's shape; None where it names nobody.

    Raises:
        InvalidParameter, NotImplementedYet
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidParameter(f"invalid {what}: the credentials are not a JSON object")
    read = {name.lower(): each for name, each in value.items() if name.lower() in _FIELDS and each is not None}
    if not all(isinstance(each, str) and is_text(each) for each in read.values()):
        raise InvalidParameter(f"invalid {what}: a field of the credentials is not a string")
    if read.get("registrytoken"):
        raise NotImplementedYet(f"a registrytoken in {what}")
    username, password = read.get("username", ""), read.get("password", "")
    if not username and read.get("auth"):
        try:
            username, _, password = base64.b64decode(read["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidParameter(f"invalid {what}: the field auth is not base64") from None
    found = Credentials(username, password, read.get("identitytoken", ""))
    return found if found.username or found.identity_token else None


def is_text(value: str) -> bool:
    """Whether it can be written to anybody: JSON may escape half of a character, or NUL."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def registry_of(address: str) -> str:
    """`host[:port]` of a registry's address, which may be a URL; each address of Docker Hub is `docker.io`."""
    host = address.split("://", 1)[-1].split("/", 1)[0].lower()
    return DOCKER_HUB if host in _HUB_HOSTS else host


def part_of(key: str) -> str:
    """What a key of an auth.json stands for: a registry, as `registry_of`, or a part of one, `host[:port]/path`.

    A URL, as older Docker wrote them, is its whole registry; so is Docker Hub's old address.
    """
    registry = registry_of(key)
    path = "" if "://" in key else key.partition("/")[2].strip("/")
    if registry == DOCKER_HUB and path in ("v1", "v2"):
        path = ""
    return f"{registry}/{path}" if path else registry


def _decoded(what: str, raw: bytes | None) -> dict[str, Any]:
    if not raw or not raw.strip():
        return {}
    text = raw.strip().translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        value = json.loads(base64.b64decode(text + b"=" * (-len(text) % 4), validate=True))
    except (ValueError, RecursionError):
        raise InvalidParameter(f"invalid {what}: it is not JSON in base64") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidParameter(f"invalid {what}: it is not a JSON object")
    return value


def _by_registry(value: dict[str, Any]) -> bool:
    return bool(value) and all(isinstance(each, dict) for each in value.values())


def _add(found: dict[str, Credentials], what: str, registry: str | None, value: object) -> None:
    read = credentials(value, what)
    if read is None:
        return
    if registry is not None:
        found[part_of(registry)] = read
        return
    assert isinstance(value, dict)
    address = next((each for name, each in value.items() if name.lower() == "serveraddress"), None)
    found[registry_of(address or "")] = read
