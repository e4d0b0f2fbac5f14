"""The private names of Twisted, Klein and Werkzeug that we lean on: this fails when one of them moves."""

from __future__ import annotations

import ast
import socket
from pathlib import Path

import pytest
from klein import Klein
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel
from twisted.web.server import Request
from werkzeug.routing import Map, Rule

from apiserver import http
from apiserver.http import _twisted
from apiserver.http.channel import Channel
from apiserver.http.request import Request as OurRequest

SOURCES = Path(http.__file__).parent


def private_names_used(source: Path, of: type) -> set[str]:
    """Names with one underscore that a module asks `self` for, and that its own class does not make."""
    tree = ast.parse(source.read_text())
    named = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
    }
    inherited = {name for base in of.__mro__[1:] for name in vars(base)}
    return named & (inherited | set(_twisted.CHANNEL_NAMES) | set(_twisted.REQUEST_NAMES))


def test_what_a_transport_has_not_written_yet_is_seen() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        connection = Connection(ours, Protocol())
        assert not _twisted.unwritten(connection)
        connection.connected = True
        connection.startWriting = lambda: None  # type: ignore[method-assign]
        connection.write(b"head")
        assert _twisted.unwritten(connection)
        connection.doWrite()
        assert not _twisted.unwritten(connection)


def channel() -> HTTPChannel:
    made = HTTPChannel()
    made.makeConnection(StringTransport())
    return made


@pytest.mark.parametrize("name", _twisted.CHANNEL_NAMES)
def test_a_channel_has_what_ours_overrides_or_reads(name: str) -> None:
    assert hasattr(channel(), name)


@pytest.mark.parametrize("name", _twisted.REQUEST_NAMES)
def test_a_request_has_what_ours_reads(name: str) -> None:
    assert hasattr(Request, name)


def test_the_lists_name_all_that_is_used() -> None:
    assert private_names_used(SOURCES / "channel.py", Channel) <= set(_twisted.CHANNEL_NAMES)
    assert private_names_used(SOURCES / "request.py", OurRequest) <= set(_twisted.REQUEST_NAMES)


def test_bytes_behind_a_request_are_found_and_taken() -> None:
    made = channel()
    assert not _twisted.pipelined_bytes(made)
    made._buffer, made._dataBuffer = b"c", [b"a", b"b"]
    assert _twisted.pipelined_bytes(made)
    assert _twisted.take_pipelined(made) == b"abc"
    assert not _twisted.pipelined_bytes(made)


def test_the_request_line_is_kept_while_a_body_comes_in() -> None:
    made = channel()
    made.dataReceived(b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
    assert _twisted.request_line(made) == (b"POST", b"/x", b"HTTP/1.1")


def test_the_channel_pauses_what_it_is_given() -> None:
    class Producer:
        paused = 0

        def pauseProducing(self) -> None:
            self.paused += 1

    made, producer = channel(), Producer()
    _twisted.set_network_producer(made, producer)  # type: ignore[arg-type]
    made.pauseProducing()
    assert producer.paused == 1


def test_klein_collects_its_rules_where_we_say_also_when_it_is_bound() -> None:
    class Rules(list[Rule]):
        def add(self, rule: Rule) -> None:
            self.append(rule)

    rules, app = Rules(), Klein()
    _twisted.replace_url_map(app, rules)
    app.route("/x", methods=["GET"])(lambda request: b"")

    class Group:
        bound = app

    assert [rule.rule for rule in rules] == ["/x"]
    assert _twisted.url_map(Group().bound) is rules


def test_a_fast_rule_compiles_no_builders_and_still_matches() -> None:
    adapter = Map([_twisted.FastRule("/a/<x>", endpoint="e")]).bind("")
    assert adapter.match("/a/b", "GET") == ("e", {"x": "b"})
    assert _twisted.FastRule("/a/<x>")._compile_builder()() is None
