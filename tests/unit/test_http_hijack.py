"""What is known of the other end before the first byte of a taken over connection is sent."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.http.hijack import Duplex


def test_a_head_that_is_not_even_written_has_not_been_read() -> None:
    """The kernel knows of no unread byte then: output that followed at once would come with the head."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        clock = Clock()
        transport = SimpleNamespace(socket=ours, dataBuffer=b"", offset=0, _tempDataBuffer=[b"head"])
        wire: Any = SimpleNamespace(transport=transport, clock=clock, hold_body=None, release_body=None)
        request: Any = None
        read = Deferred.fromCoroutine(Duplex(wire, request).head_read())
        clock.advance(0)
        assert not read.called
        transport._tempDataBuffer = []
        ours.send(b"head")
        clock.advance(0.001)
        assert not read.called
        theirs.recv(100)
        clock.advance(0.01)
        assert read.called


def test_a_client_may_take_long_to_read_the_head() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        clock = Clock()
        transport = SimpleNamespace(socket=ours, dataBuffer=b"", offset=0, _tempDataBuffer=[])
        wire: Any = SimpleNamespace(transport=transport, clock=clock, hold_body=None, release_body=None)
        request: Any = None
        ours.send(b"head")
        read = Deferred.fromCoroutine(Duplex(wire, request).head_read())
        clock.pump([0.1] * 600)
        assert not read.called
        theirs.recv(100)
        clock.advance(1)
        assert read.called
