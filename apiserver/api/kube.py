"""Playing Kubernetes YAML, and taking it down again (libpod)."""

from __future__ import annotations

from apiserver.http.app import group_app


class KubeGroup:
    """Playing Kubernetes YAML, and taking it down again (libpod)."""

    app = group_app()
