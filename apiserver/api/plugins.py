"""Docker's managed plugins."""

from __future__ import annotations

from apiserver.http.app import group_app


class PluginsGroup:
    """Docker's managed plugins."""

    app = group_app()
