"""The whole API over an engine whose back ends are in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from apiserver.api.groups import build_router
from apiserver.daemon.engine import Nobody
from apiserver.engine.images.pull import Pulls
from apiserver.engine.images.push import Pushes
from apiserver.engine.images.save import Saves
from apiserver.engine.images.service import Images
from apiserver.engine.ports.host import HostFacts
from apiserver.engine.ports.networks import Network
from apiserver.engine.system import System
from apiserver.errors import NoSuchNetwork
from tests.fakes.images import FakeImageSource
from tests.fakes.registry import FakeRegistry
from tests.support.containers import BRIDGE, HOST, NONE
from tests.support.engine import Engine
from tests.support.http_memory import Answer, MemoryConnection

HOST_FACTS = HostFacts(
    name="box",
    operating_system="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0",
    architecture="x86_64",
    processors=2,
    memory_bytes=1 << 30,
    cgroup_version="2",
    cgroup_manager="cgroupfs",
    storage_driver="overlay",
    root="/var/lib/apiserver",
)


class NetworksDouble:
    """The three networks that are always there."""

    def all(self) -> Sequence[Network]:
        return (BRIDGE, HOST, NONE)

    def get(self, name_or_id: str) -> Network:
        for network in self.all():
            if name_or_id in (network.name, network.id) or (network is BRIDGE and name_or_id in ("bridge", "podman")):
                return network
        raise NoSuchNetwork(name_or_id)


class Api:
    """Connections to a service with its engine; each call is a connection of its own."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine or Engine()
        self.connections: list[MemoryConnection] = []
        self.image_source = FakeImageSource()
        self.registry = FakeRegistry(self.image_source)
        self.images = Images(
            self.image_source,
            self.engine.events,
            self.engine.locks,
            lambda _: (),
            self.engine.clock,
            self.registry.candidates,
        )
        self.pulls = Pulls(self.registry, self.image_source, self.images.tell, self.images.tell_failed_pull, Nobody())
        self.pushes = Pushes(self.registry, self.images.tell, Nobody())
        self.saves = Saves(self.images, self.image_source, Nobody())

        async def count() -> int:
            return len(await self.images.all())

        self.router = build_router(
            containers=self.engine.containers,
            images=self.images,
            networks=NetworksDouble(),
            volumes=self.engine.volumes,
            events=self.engine.events,
            system=System(
                lambda: HOST_FACTS, self.engine.registry, count, self.engine.events, tuple, self.engine.clock
            ),
            wall_clock=self.engine.clock,
            pulls=lambda: self.pulls,
            pushes=lambda: self.pushes,
            saves=lambda: self.saves,
        )

    def connect(self) -> MemoryConnection:
        self.connections.append(MemoryConnection(self.router, self.engine.clock))
        return self.connections[-1]

    def hang_up(self) -> None:
        """All clients leave."""
        for connection in self.connections:
            connection.hang_up()

    def open(self, method: str, path: str, body: Any = None, **query: Any) -> MemoryConnection:
        """Send a request and leave its connection open.

        Args:
            body: bytes, or a JSON value.
        """
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = query.pop("headers", {})
        if query:
            path += "?" + urlencode({k: json.dumps(v) if isinstance(v, dict) else v for k, v in query.items()})
        return self.connect().request(method, path, raw, **headers)

    def get(self, path: str, **query: Any) -> Answer:
        return self.open("GET", path, **query).answer

    def post(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.open("POST", path, body, **query).answer

    def delete(self, path: str, **query: Any) -> Answer:
        return self.open("DELETE", path, **query).answer
