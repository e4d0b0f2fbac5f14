"""Pods: containers that share namespaces (libpod)."""

from __future__ import annotations

from apiserver.http.app import group_app


class PodsGroup:
    """Pods: containers that share namespaces (libpod)."""

    app = group_app()
