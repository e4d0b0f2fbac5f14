"""What a client may ask of a container: one frozen object per concern, in no client's spelling.

A concern's module has the same name in each layer: decoded and shown in `wire` per flavour, validated here, applied
to the OCI spec in `local`. Optional values are None where the client left the choice to the engine.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from apiserver.engine.containers.options.devices import Devices
from apiserver.engine.containers.options.identity import Identity
from apiserver.engine.containers.options.lifecycle import Lifecycle
from apiserver.engine.containers.options.limits import Limits
from apiserver.engine.containers.options.logging import Logging
from apiserver.engine.containers.options.mounts import Mounts
from apiserver.engine.containers.options.namespaces import Namespace, Namespaces
from apiserver.engine.containers.options.network import Network
from apiserver.engine.containers.options.process import Process
from apiserver.engine.containers.options.security import Security

__all__ = [
    "ContainerOptions",
    "Devices",
    "Identity",
    "Lifecycle",
    "Limits",
    "Logging",
    "Mounts",
    "Namespaces",
    "Network",
    "Process",
    "Security",
]


class ContainerOptions(Struct, frozen=True):
    """Everything asked of one container; after create it is complete: the image's configuration is merged in."""

    identity: Identity = field(default_factory=Identity)
    process: Process = field(default_factory=Process)
    namespaces: Namespaces = field(default_factory=Namespaces)
    mounts: Mounts = field(default_factory=Mounts)
    limits: Limits = field(default_factory=Limits)
    security: Security = field(default_factory=Security)
    network: Network = field(default_factory=Network)
    logging: Logging = field(default_factory=Logging)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    devices: Devices = field(default_factory=Devices)
    sysctls: Mapping[str, str] = {}
    """Kernel parameter -> value, as given."""
    runtime: str = ""
    """Name or path of the OCI runtime asked for; empty: what works on this host."""

    def hostname(self, container_id: str, host_name: str) -> str:
        """What the container is called inside.

        Args:
            host_name: the host's own.
        """
        return host_name if self.namespaces.uts is Namespace.HOST else self.identity.hostname or container_id[:12]
