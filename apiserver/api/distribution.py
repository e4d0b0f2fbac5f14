"""What a registry has under a name, without pulling it."""

from __future__ import annotations

from apiserver.http.app import group_app


class DistributionGroup:
    """What a registry has under a name, without pulling it."""

    app = group_app()
