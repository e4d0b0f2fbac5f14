"""Requests of a stock twisted.web Site, so that a group's resource can be used in any resource tree."""

from __future__ import annotations

from typing import Any

from apiserver.http.body_stream import BodyStream
from apiserver.http.connection import Connection
from apiserver.http.flavour import Flavour
from apiserver.http.settings import HttpSettings
from apiserver.http.version import DEFAULT


def adopt(request: Any) -> None:
    """Give a stock request what ours has; its body was read already, and it cannot be hijacked."""
    request.connection = Connection()
    request.settings = HttpSettings()
    request.version = DEFAULT
    request.version_given = False
    request.flavour = Flavour.DOCKER
    request.reference_id = request.connection.id
    request.route = ""
    request.handling = None
    request.hijacked = None
    request.stream = None
    request.query_values = None
    request.gone = False
    request.defaultContentType = None
    request.trace_body = lambda raw: None
    request.abandon = lambda: request.channel.abortConnection()
    request.body = BodyStream()
    if request.content is not None:
        request.body.received(request.content.read())
    request.body.end()

    def left(_: object) -> None:
        request.gone = True
        if request.handling is not None and not request.handling.called:
            request.handling.cancel()

    request.notifyFinish().addErrback(left)
