"""Running a container's health check now (libpod)."""

from __future__ import annotations

from apiserver.http.app import group_app


class HealthcheckGroup:
    """Running a container's health check now (libpod)."""

    app = group_app()
