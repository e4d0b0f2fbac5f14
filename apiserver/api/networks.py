"""Networks: create, list, inspect, connect, disconnect, remove, prune."""

from __future__ import annotations

from apiserver.http.app import group_app


class NetworksGroup:
    """Networks: create, list, inspect, connect, disconnect, remove, prune."""

    app = group_app()
