"""Copying into and out of containers as tar archives."""

from __future__ import annotations

from apiserver.http.app import group_app


class ArchiveGroup:
    """Copying into and out of containers as tar archives."""

    app = group_app()
