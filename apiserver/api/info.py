"""What this host and this service are."""

from __future__ import annotations

from apiserver.http.app import group_app


class InfoGroup:
    """What this host and this service are."""

    app = group_app()
