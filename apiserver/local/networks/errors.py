"""What a client is told where a run's network could not be made, or not be taken away."""

from __future__ import annotations

from apiserver.errors import HostError


class NetworkFailed(HostError):
    """The subject is what netavark said."""

    cause = "network set-up failed"
    docker = "failed to set up container networking: {subject}"
