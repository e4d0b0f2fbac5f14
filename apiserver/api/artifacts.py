"""OCI artifacts: pull, push, add, list, inspect, extract, remove (libpod)."""

from __future__ import annotations

from apiserver.http.app import group_app


class ArtifactsGroup:
    """OCI artifacts: pull, push, add, list, inspect, extract, remove (libpod)."""

    app = group_app()
