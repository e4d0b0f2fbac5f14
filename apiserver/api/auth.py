"""Logging in at a registry."""

from __future__ import annotations

from apiserver.http.app import group_app


class AuthGroup:
    """Logging in at a registry."""

    app = group_app()
