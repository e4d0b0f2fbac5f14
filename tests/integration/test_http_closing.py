"""Connections that are kept, and their end: no request is lost by it."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncGenerator

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from apiserver.http.connection import Connection, Phase
from apiserver.http.router import Router
from apiserver.http.settings import HttpSettings
from tests.support.http_socket import Served, pause, read_all, read_answer, read_chunk, read_head, until
from tests.support.http_streams import Streams

NOW = b"GET /now HTTP/1.1\r\nHost: d\r\n\r\n"
LATER = b"GET /later HTTP/1.1\r\nHost: d\r\n\r\n"


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest_twisted.async_yield_fixture
async def served(streams: Streams) -> AsyncGenerator[Served, None]:
    served = Served(Router([streams.app]))
    yield served
    await served.end()


async def kept(served: Served) -> tuple[socket.socket, Connection]:
    """A client that was answered once, and its connection."""
    client = served.connect()
    client.sendall(NOW)
    await deferToThread(read_answer, client)
    connection = served.connections[-1]
    await until(lambda: connection.phase is Phase.KEPT)
    return client, connection


@pytest_twisted.ensureDeferred
async def test_each_phase_is_told_to_who_observes(served: Served) -> None:
    phases: list[tuple[Phase, Phase]] = []
    client = served.connect()
    await until(lambda: served.connections)
    [connection] = served.connections
    connection.observe(lambda _, before, now: phases.append((before, now)))
    client.sendall(NOW[:10])
    await until(lambda: phases)
    client.sendall(NOW[10:])
    await deferToThread(read_answer, client)
    client.close()
    await connection.closed()
    assert phases == [
        (Phase.NEW, Phase.READING),
        (Phase.READING, Phase.SERVING),
        (Phase.SERVING, Phase.KEPT),
        (Phase.KEPT, Phase.CLOSED),
    ]


@pytest_twisted.ensureDeferred
async def test_a_request_that_was_sent_before_the_end_is_answered_and_told_of_it(served: Served) -> None:
    for count in (1, 3):
        client, connection = await kept(served)
        client.sendall(NOW * count)  # in the socket; the reactor has not looked
        closed = connection.begin_close()

        def rest(sock: socket.socket = client) -> bytes:
            return read_all(sock)

        answers = await deferToThread(rest)
        assert answers.count(b"HTTP/1.1 200 OK") == count
        assert answers.count(b"Connection: close") == 1
        assert answers.rpartition(b"HTTP/1.1")[2].count(b"Connection: close") == 1
        client.close()
        await closed


@pytest_twisted.ensureDeferred
async def test_a_request_after_the_end_fails_before_a_byte_is_taken(served: Served) -> None:
    client, connection = await kept(served)
    connection.begin_close()
    with pytest.raises(BrokenPipeError):
        client.send(NOW)
    client.close()


@pytest_twisted.ensureDeferred
async def test_one_that_never_asked_is_closed_in_the_same_way(served: Served) -> None:
    client = served.connect()
    await until(lambda: served.connections)
    client.sendall(NOW)
    answer = deferToThread(read_all, client)
    await served.connections[0].begin_close()
    assert (await answer).count(b"HTTP/1.1 200 OK") == 1
    client.close()


@pytest_twisted.ensureDeferred
async def test_a_request_under_way_is_finished_first(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(LATER)
    await until(lambda: streams.seen)
    closed = served.connections[0].begin_close()
    await pause(0.05)
    assert not closed.called
    streams.go.callback(None)
    answer = await deferToThread(read_all, client)
    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"later")
    client.close()
    await closed


@pytest_twisted.ensureDeferred
async def test_a_late_answer_to_what_was_queued_comes_whole(served: Served, streams: Streams) -> None:
    client, connection = await kept(served)
    client.sendall(LATER + NOW)
    closed = connection.begin_close()
    await until(lambda: "later" in streams.seen)
    streams.go.callback(None)
    answers = await deferToThread(read_all, client)
    assert (answers.count(b"later"), answers.count(b"HTTP/1.1 200")) == (1, 2)
    client.close()
    await closed


@pytest_twisted.ensureDeferred
async def test_at_a_halt_endless_answers_end_with_a_whole_last_chunk(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(b"GET /endless HTTP/1.1\r\nHost: d\r\n\r\n")

    def first() -> tuple[bytes, bytes]:
        return read_head(client), read_chunk(client)

    head, chunk = await deferToThread(first)  # both are there before anything else happens
    assert chunk == b'{"first":true}\n'
    assert b"Transfer-Encoding: chunked" in head
    closed = served.connections[0].halt()
    assert await deferToThread(read_all, client) == b"0\r\n\r\n"
    client.close()
    await closed
    assert streams.seen == ["cancelled"]


@pytest_twisted.ensureDeferred
async def test_at_a_halt_finite_answers_are_waited_for(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(LATER)
    await until(lambda: streams.seen)
    served.connections[0].halt()
    await pause(0.05)
    assert streams.seen == ["later"]
    streams.go.callback(None)
    assert (await deferToThread(read_all, client)).endswith(b"later")
    client.close()


@pytest_twisted.ensureDeferred
async def test_a_keep_alive_time_may_be_a_fraction(streams: Streams) -> None:
    served = Served(Router([streams.app]), HttpSettings(keep_alive=0.3))
    client, _ = await kept(served)
    started = time.monotonic()
    assert await deferToThread(read_all, client) == b""
    assert 0.2 < time.monotonic() - started < 1
    client.close()
    await served.end()


@pytest_twisted.ensureDeferred
async def test_one_that_never_asks_is_closed_after_the_header_time(streams: Streams) -> None:
    served = Served(Router([streams.app]), HttpSettings(header_timeout=0.3))
    client = served.connect()
    assert await deferToThread(read_all, client) == b""
    client.close()
    await served.end()


@pytest_twisted.ensureDeferred
async def test_a_kept_connection_outlives_the_header_time(streams: Streams) -> None:
    served = Served(Router([streams.app]), HttpSettings(header_timeout=0.2))
    client, _ = await kept(served)
    await pause(0.5)
    client.sendall(NOW)
    assert (await deferToThread(read_answer, client))[2] == b"now"
    client.close()
    await served.end()


@pytest.mark.parametrize(("keep_alive", "announced"), [(10.0, b"Keep-Alive: timeout=9\r\n"), (1.0, None), (0.0, None)])
@pytest_twisted.ensureDeferred
async def test_answers_announce_a_time_below_the_true_one(
    streams: Streams, keep_alive: float, announced: bytes | None
) -> None:
    served = Served(Router([streams.app]), HttpSettings(keep_alive=keep_alive))

    def client(sock: socket.socket) -> tuple[bytes, bytes]:
        sock.sendall(NOW)
        first = read_answer(sock)[1]
        sock.sendall(b"GET /now HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
        return first, read_answer(sock)[1]

    kept_head, closed_head = await served.talk(client)
    assert announced in kept_head if announced else b"Keep-Alive" not in kept_head
    assert b"Keep-Alive" not in closed_head
    assert closed_head.count(b"Connection: close") == 1
    await served.end()


@pytest_twisted.ensureDeferred
async def test_each_who_waits_for_the_end_is_told_of_it(served: Served) -> None:
    client, connection = await kept(served)
    waiting = [connection.closed(), connection.closed()]
    cancelled = connection.closed()
    cancelled.addErrback(lambda _: None)
    cancelled.cancel()
    client.close()
    for each in waiting:
        await each
    late: Deferred[None] = connection.closed()
    assert late.called


@pytest_twisted.ensureDeferred
async def test_an_aborted_connection_cancels_its_handler(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(LATER)
    await until(lambda: streams.seen)
    served.connections[0].abort()
    await until(lambda: streams.seen == ["later", "cancelled"])
    client.close()
