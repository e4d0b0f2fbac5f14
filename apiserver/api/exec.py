"""Exec sessions: create, start, resize, inspect, remove."""

from __future__ import annotations

from apiserver.http.app import group_app


class ExecGroup:
    """Exec sessions: create, start, resize, inspect, remove."""

    app = group_app()
