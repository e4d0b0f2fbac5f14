"""The description of the API itself."""

from __future__ import annotations

from apiserver.http.app import group_app


class SwaggerGroup:
    """The description of the API itself."""

    app = group_app()
