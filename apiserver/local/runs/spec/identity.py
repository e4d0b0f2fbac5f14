"""Who the container says it is: host name and domain."""

from __future__ import annotations

import re

from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.identity import Identity
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.errors import InvalidParameter

_LABEL = re.compile(r"[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?")
_HOSTNAME_MAX = 64  # __NEW_UTS_LEN of the kernel


def hostname(options: ContainerOptions, container_id: str, host_name: str) -> str:
    """What `hostname` says inside.

    Raises:
        InvalidParameter: it is no host name; a newline in it would write lines into /etc/hosts.
    """
    name = options.hostname(container_id, host_name)
    if options.namespaces.uts is Namespace.HOST:
        return name
    if len(name) > _HOSTNAME_MAX or not all(_LABEL.fullmatch(label) for label in name.rstrip(".").split(".")):
        raise InvalidParameter(f"invalid hostname: {name!r}")
    return name


def domainname(identity: Identity) -> str:
    """The NIS domain name, which the client may ask for.

    Raises:
        InvalidParameter
    """
    name = identity.domainname
    if name and (len(name) > _HOSTNAME_MAX or not all(_LABEL.fullmatch(label) for label in name.split("."))):
        raise InvalidParameter(f"invalid domainname: {name!r}")
    return name
