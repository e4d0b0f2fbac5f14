"""Volumes: create, list, inspect, remove, prune, export, import."""

from __future__ import annotations

from apiserver.http.app import group_app


class VolumesGroup:
    """Volumes: create, list, inspect, remove, prune, export, import."""

    app = group_app()
