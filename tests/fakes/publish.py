"""Ports in memory; `taken` are in use by others."""

from __future__ import annotations

from collections.abc import Sequence

from apiserver.engine.ports.publish import PortRequest, PublishedPort
from apiserver.errors import PortInUse

FIRST_FREE = 32768


class FakeHeldPorts:
    def __init__(self, publisher: FakePublisher, ports: Sequence[PublishedPort]) -> None:
        self._publisher = publisher
        self.ports = tuple(ports)
        self.descriptors: Sequence[int] = ()

    def close(self) -> None:
        self._publisher.taken -= {port.host_port for port in self.ports}


class FakePublisher:
    def __init__(self, *taken: int) -> None:
        self.taken = set(taken)

    async def bind(self, endpoint: str, requests: Sequence[PortRequest]) -> FakeHeldPorts:
        ports: list[PublishedPort] = []
        for request in requests:
            wanted = range(request.host_port_first, request.host_port_last + 1)
            if wanted == range(1):
                wanted = range(FIRST_FREE, 65536)
            used = self.taken | {port.host_port for port in ports}
            free = next((port for port in wanted if port not in used), None)
            address = request.host_ip or "0.0.0.0"
            if free is None:
                raise PortInUse(
                    f"driver failed programming external connectivity on endpoint {endpoint}: "
                    f"Bind for {address}:{wanted[-1]} failed: port is already allocated"
                )
            ports.append(PublishedPort(request.container_port, request.transport, address, free))
        self.taken |= {port.host_port for port in ports}
        return FakeHeldPorts(self, ports)
