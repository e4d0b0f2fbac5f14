"""What an endpoint string means: parsed without Twisted, since what is imported depends on the answer.

The grammar is Twisted's: fields parted by colons, `name=value` or positional, and a backslash before
a colon, an equals sign or a backslash that is meant as itself.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

DEFAULT_MODE = 0o660


class BadEndpoint(ValueError):
    """An endpoint string that cannot be understood; the message names the string and the field."""


class UnixEndpoint(Struct, frozen=True):
    """`unix:PATH[:mode=660][:group=NAME]`: a socket of our own; owner root, group root unless said."""

    path: Path
    mode: int = DEFAULT_MODE
    group: str | None = None


class TcpEndpoint(Struct, frozen=True):
    """`tcp:PORT[:interface=ADDRESS]`: loopback unless an address is asked for."""

    port: int
    interface: str = "127.0.0.1"


class TlsEndpoint(Struct, frozen=True):
    """`ssl:PORT:privateKey=FILE[:certKey=FILE][:clientCA=FILE][:interface=ADDRESS]`: PEM files; one may hold both.

    Attributes:
        client_authorities: certificates, one of which has to be above each client's; None: none is asked for.
    """

    port: int
    private_key: Path
    certificate: Path
    interface: str = "127.0.0.1"
    client_authorities: Path | None = None


class PassedEndpoint(Struct, frozen=True):
    """`systemd:domain=UNIX:index=0` or `…:name=NAME`: a descriptor that whoever started us has opened.

    Without a domain (nobody asked for it by name) any is fine.
    """

    domain: str | None = None
    index: int | None = None
    name: str | None = None


Endpoint: TypeAlias = UnixEndpoint | TcpEndpoint | TlsEndpoint | PassedEndpoint

_FIELDS = {
    "unix": (("path",), frozenset({"path", "mode", "group"})),
    "tcp": (("port",), frozenset({"port", "interface"})),
    "ssl": (("port",), frozenset({"port", "interface", "privateKey", "certKey", "clientCA"})),
    "systemd": ((), frozenset({"domain", "index", "name"})),
}


def parse_endpoint(text: str) -> Endpoint:
    """The endpoint which `text` describes.

    Raises:
        BadEndpoint: unknown kind or field, missing or impossible value.
    """
    kind, fields = _split(text)
    if kind == "unix":
        return _unix(text, fields)
    if kind == "tcp":
        return TcpEndpoint(_port(text, fields), _interface(text, fields))
    if kind == "ssl":
        return _tls(text, fields)
    return _passed(text, fields)


def _split(text: str) -> tuple[str, dict[str, str]]:
    kind, *pieces = _colon_parted(text)
    name, value = kind
    if value is not None or name not in _FIELDS:
        raise BadEndpoint(f"endpoint {text!r}: the kind must be one of {', '.join(_FIELDS)}")
    positional, known = _FIELDS[name]
    places = list(positional)
    fields: dict[str, str] = {}
    for first, second in pieces:
        if second is None:
            if not places:
                raise BadEndpoint(f"endpoint {text!r}: {first!r} has no name")
            key, content = places.pop(0), first
        else:
            key, content = first, second
        if key not in known:
            raise BadEndpoint(f"endpoint {text!r}: unknown field {key!r}")
        if key in fields:
            raise BadEndpoint(f"endpoint {text!r}: {key} is given twice")
        fields[key] = content
    return name, fields


def _colon_parted(text: str) -> list[tuple[str, str | None]]:
    """Each field as (name, value), or (text, None) where it has no name."""
    fields: list[tuple[str, str | None]] = []
    name: str | None = None
    piece: list[str] = []
    rest = iter(text)
    for character in rest:
        if character == "\\":
            piece.append(next(rest, ""))
        elif character == "=" and name is None:
            name, piece = "".join(piece), []
        elif character == ":":
            fields.append(("".join(piece), None) if name is None else (name, "".join(piece)))
            name, piece = None, []
        else:
            piece.append(character)
    fields.append(("".join(piece), None) if name is None else (name, "".join(piece)))
    return fields


def _unix(text: str, fields: dict[str, str]) -> UnixEndpoint:
    path = Path(_need(text, fields, "path"))
    if not path.is_absolute():
        raise BadEndpoint(f"endpoint {text!r}: the path must be absolute")
    mode = fields.get("mode", format(DEFAULT_MODE, "o"))
    if not mode.isdigit() or any(digit not in "01234567" for digit in mode) or int(mode, 8) > 0o777:
        raise BadEndpoint(f"endpoint {text!r}: mode {mode!r} is not an octal mode")
    return UnixEndpoint(path, int(mode, 8), fields.get("group"))


def _tls(text: str, fields: dict[str, str]) -> TlsEndpoint:
    key = Path(_need(text, fields, "privateKey"))
    certificate = Path(fields.get("certKey", key))
    authorities = Path(_need(text, fields, "clientCA")) if "clientCA" in fields else None
    return TlsEndpoint(_port(text, fields), key, certificate, _interface(text, fields), authorities)


def _passed(text: str, fields: dict[str, str]) -> PassedEndpoint:
    domain = _need(text, fields, "domain")
    if domain not in ("UNIX", "INET", "INET6"):
        raise BadEndpoint(f"endpoint {text!r}: domain must be UNIX, INET or INET6")
    if ("index" in fields) == ("name" in fields):
        raise BadEndpoint(f"endpoint {text!r}: exactly one of index and name is needed")
    if "name" in fields:
        return PassedEndpoint(domain, name=fields["name"])
    if not fields["index"].isascii() or not fields["index"].isdigit():
        raise BadEndpoint(f"endpoint {text!r}: index {fields['index']!r} is not a number")
    return PassedEndpoint(domain, index=int(fields["index"]))


def _need(text: str, fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise BadEndpoint(f"endpoint {text!r}: {name} is missing")
    return fields[name]


def _port(text: str, fields: dict[str, str]) -> int:
    port = _need(text, fields, "port")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise BadEndpoint(f"endpoint {text!r}: port {port!r} is not a number from 0 to 65535")
    return int(port)


def _interface(text: str, fields: dict[str, str]) -> str:
    interface = fields.get("interface", "127.0.0.1")
    if interface != "localhost":
        try:
            ipaddress.ip_address(interface)
        except ValueError as error:
            raise BadEndpoint(f"endpoint {text!r}: interface {interface!r} is not an address") from error
    return interface
