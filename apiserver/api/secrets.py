"""Secrets: create, list, inspect, remove."""

from __future__ import annotations

from apiserver.http.app import group_app


class SecretsGroup:
    """Secrets: create, list, inspect, remove."""

    app = group_app()
