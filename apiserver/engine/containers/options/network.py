"""A container's network: which one, published ports, names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apiserver.engine.ports.publish import PortRequest

NONE = "none"
HOST = "host"
DEFAULT = "apiserver"
"""The default bridge's own name: `bridge` to Docker, `podman` to libpod."""


@dataclass(frozen=True, slots=True)
class Network:
    mode: str = DEFAULT
    """`none`, `host`, or a network's own name."""
    asked_as: str = ""
    """How the client named it (`default`, `bridge`, an id), for its inspect."""
    ports: tuple[PortRequest, ...] = ()
    publish_all: bool = False
    """Publish each exposed port on a free host port."""
    exposed: tuple[str, ...] = ()
    """`80/tcp`; after create the image's too."""
    aliases: tuple[str, ...] = ()
    mac_address: str = ""
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    """`NAME:IP`; the IP `host-gateway` is the bridge's gateway."""
    driver_options: Mapping[str, str] = field(default_factory=dict)
