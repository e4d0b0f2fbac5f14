"""Which namespaces the container gets for itself."""

from __future__ import annotations

from apiserver.engine.containers.options.namespaces import Namespace, Namespaces
from apiserver.engine.containers.options.network import HOST, Network
from apiserver.jsonvalue import JsonValue


def private_cgroup(namespaces: Namespaces, *, unified: bool) -> bool:
    """Docker's default: private where there is one hierarchy, the host's on v1."""
    if namespaces.cgroup is None:
        return unified
    return namespaces.cgroup is Namespace.PRIVATE


def entries(
    namespaces: Namespaces, network: Network, *, unified: bool, network_namespace: str
) -> list[dict[str, JsonValue]]:
    """`linux.namespaces`.

    Args:
        network_namespace: path of the namespace that the run's networks were made in; empty where it has none.
    """
    found: list[dict[str, JsonValue]] = [{"type": "mount"}]
    if namespaces.pid is Namespace.PRIVATE:
        found.append({"type": "pid"})
    if namespaces.ipc is not Namespace.HOST:
        found.append({"type": "ipc"})
    if namespaces.uts is Namespace.PRIVATE:
        found.append({"type": "uts"})
    if network_namespace:
        found.append({"type": "network", "path": network_namespace})
    elif network.mode != HOST:
        found.append({"type": "network"})
    if private_cgroup(namespaces, unified=unified):
        found.append({"type": "cgroup"})
    return found
