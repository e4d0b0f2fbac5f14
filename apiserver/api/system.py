"""Disk usage, checks and pruning over all kinds of objects."""

from __future__ import annotations

from apiserver.http.app import group_app


class SystemGroup:
    """Disk usage, checks and pruning over all kinds of objects."""

    app = group_app()
