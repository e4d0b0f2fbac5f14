"""Which versions of the service and of the APIs this is."""

from __future__ import annotations

from apiserver.http.app import group_app


class VersionGroup:
    """Which versions of the service and of the APIs this is."""

    app = group_app()
