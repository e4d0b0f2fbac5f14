"""Who a container says it is: host name and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from apiserver.errors import InvalidParameter

_HOSTNAME = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?")
LONGEST_HOSTNAME = 64
"""The kernel's limit."""
CONTAINERENV, DOCKERENV = "/run/.containerenv", "/.dockerenv"
"""Podman's says which container it is, Docker's is empty."""


class Identity(Struct, frozen=True):
    hostname: str = ""
    """Empty: the first 12 digits of the id; the host's own with the host's UTS namespace. On the host's network the
    host's own is asked for where nothing else is."""
    domainname: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """After create: the image's labels below the client's."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Kept and shown; never given to the runtime as its own annotations."""
    create_command: tuple[str, ...] = ()
    """The client's own command line, where it says it: kept and shown."""
    marker: str = CONTAINERENV
    """The file by which programs know that they are in a container, and whose."""


def validated(identity: Identity, *, host_uts: bool, default: str = "") -> Identity:
    """
    Args:
        default: a host name that nobody has checked, and that is not taken where it could be none.

    Raises:
        InvalidParameter
    """
    if host_uts and (identity.hostname or identity.domainname):
        raise InvalidParameter("conflicting options: hostname and the UTS mode")
    for field_name, value in (("Hostname", identity.hostname), ("Domainname", identity.domainname)):
        if value and not _is_host_name(value):
            raise InvalidParameter(f"invalid {field_name}: {value!r}")
    for field_name, mapping in (("Labels", identity.labels), ("Annotations", identity.annotations)):
        for key, value in mapping.items():
            if not key or "\0" in key or "\0" in value:
                raise InvalidParameter(f"invalid {field_name}: {key!r}")
    if identity.hostname or host_uts or not _is_host_name(default):
        return identity
    return replace(identity, hostname=default)


def _is_host_name(text: str) -> bool:
    return len(text) <= LONGEST_HOSTNAME and _HOSTNAME.fullmatch(text) is not None
