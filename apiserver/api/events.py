"""What happened and happens, as a stream."""

from __future__ import annotations

from apiserver.http.app import group_app


class EventsGroup:
    """What happened and happens, as a stream."""

    app = group_app()
