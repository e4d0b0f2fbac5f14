"""What libpod clients call things that the engine has its own names for."""

from __future__ import annotations

from apiserver.engine.containers.options.network import DEFAULT

DEFAULT_NETWORK = "podman"


def network_name(name: str) -> str:
    """Our default network is `podman` to libpod clients."""
    return DEFAULT_NETWORK if name == DEFAULT else name
