"""systemd units and Kubernetes YAML for what exists (libpod)."""

from __future__ import annotations

from apiserver.http.app import group_app


class GenerateGroup:
    """systemd units and Kubernetes YAML for what exists (libpod)."""

    app = group_app()
