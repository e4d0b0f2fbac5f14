"""Manifest lists, in the routes of libpod 3 and of libpod 4 and later."""

from __future__ import annotations

from apiserver.http.app import group_app


class ManifestGroup:
    """Manifest lists, in the routes of libpod 3 and of libpod 4 and later."""

    app = group_app()
