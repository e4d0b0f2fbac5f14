"""Quadlet files: install, list, print, remove (libpod)."""

from __future__ import annotations

from apiserver.http.app import group_app


class QuadletsGroup:
    """Quadlet files: install, list, print, remove (libpod)."""

    app = group_app()
