"""Connections that are taken over, on a real socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from apiserver.http.connection import Connection, Phase
from apiserver.http.router import Router
from tests.support.http_socket import Served, pause, read_all, read_exactly, read_head, until
from tests.support.http_streams import PIECE, Streams

IN_FLIGHT = 4 * 1024 * 1024


def take_over(path: str = "/raw", more: str = "Connection: Upgrade\r\nUpgrade: tcp\r\n") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: d\r\n{more}\r\n".encode()


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest_twisted.async_yield_fixture
async def served(streams: Streams) -> AsyncGenerator[Served, None]:
    served = Served(Router([streams.app]))
    yield served
    await served.end()


@pytest_twisted.ensureDeferred
async def test_an_upgrade_is_answered_by_101_with_the_clients_token_and_the_common_headers(served: Served) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(take_over())
        return read_head(sock)

    head = await served.talk(client)
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 101 UPGRADED"
    assert {"Upgrade: tcp", "Connection: Upgrade", "Content-Type: application/vnd.docker.raw-stream"} <= set(lines)
    names = {line.partition(":")[0].lower() for line in lines}
    assert {"api-version", "libpod-api-version", "server", "x-reference-id"} <= names
    assert {"content-length", "transfer-encoding", "keep-alive"}.isdisjoint(names)


@pytest_twisted.ensureDeferred
async def test_without_an_upgrade_it_is_200_and_names_none(served: Served) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(take_over(more=""))
        return read_head(sock)

    head = await served.talk(client)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"upgrade" not in head.lower()


@pytest_twisted.ensureDeferred
async def test_bytes_sent_together_with_the_request_are_the_first_that_are_read(served: Served) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(take_over() + b"early ")
        read_head(sock)
        sock.sendall(b"late")
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)

    assert await served.talk(client) == b"EARLY LATEthe end"


@pytest_twisted.ensureDeferred
async def test_a_json_body_before_it_is_not_taken_for_the_stream(served: Served) -> None:
    def client(sock: socket.socket) -> bytes:
        body = b'{"Detach":false}'
        sock.sendall(take_over(more=f"Upgrade: tcp\r\nContent-Length: {len(body)}\r\n") + body + b"x")
        read_head(sock)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)

    # this handler never reads its body, so what follows the head is the stream
    assert (await served.talk(client)).endswith(b"the end")


@pytest_twisted.ensureDeferred
async def test_output_goes_on_after_the_clients_end_of_input(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(take_over("/raw-silent"))
    await until(lambda: streams.duplex)
    client.shutdown(socket.SHUT_WR)
    await pause(1.3)  # past a look whether the client is there
    streams.go.callback(None)
    answer = await deferToThread(read_all, client)
    assert answer.endswith(b"\r\n\r\nbye")
    client.close()


@pytest_twisted.ensureDeferred
async def test_a_client_that_is_gone_cancels_the_handler(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(take_over("/raw-silent"))
    await until(lambda: streams.duplex)
    client.close()
    await until(lambda: streams.seen == ["cancelled"], 1)
    await until(lambda: served.connections[0].phase is Phase.CLOSED)


@pytest_twisted.ensureDeferred
async def test_a_client_that_first_ended_its_input_and_then_goes_is_noticed_though_nothing_is_written(
    served: Served, streams: Streams
) -> None:
    client = served.connect()
    client.sendall(take_over("/raw-silent"))
    await until(lambda: streams.duplex)
    client.shutdown(socket.SHUT_WR)
    await pause(0.1)
    client.close()
    await until(lambda: streams.seen == ["cancelled"], 3)


@pytest_twisted.ensureDeferred
async def test_what_the_client_sends_after_the_end_does_not_reset_it(served: Served, streams: Streams) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(take_over("/raw-silent") + b"unread")
        read_head(sock)
        reactor.callFromThread(streams.go.callback, None)  # type: ignore[attr-defined]
        return read_all(sock)  # a reset would raise

    assert await served.talk(client) == b"bye"


@pytest_twisted.ensureDeferred
async def test_who_does_not_read_holds_the_writer_back(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(take_over("/raw-down"))
    await until(lambda: streams.sent)
    held = 0
    while held < streams.sent < IN_FLIGHT:
        held = streams.sent
        await pause(0.2)
    assert held == streams.sent < IN_FLIGHT

    def rest() -> bytes:
        read_head(client)
        return read_exactly(client, 1024 * len(PIECE))

    assert len(await deferToThread(rest)) == 1024 * len(PIECE)
    client.close()


@pytest_twisted.ensureDeferred
async def test_who_is_not_read_is_held_back(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(take_over("/raw-silent"))
    client.setblocking(False)
    sent = 0
    for _ in range(100):
        try:
            sent += client.send(PIECE)
        except BlockingIOError:
            await pause(0.005)
    assert sent < IN_FLIGHT
    client.close()


@pytest_twisted.ensureDeferred
async def test_input_of_a_client_that_left_at_once_is_still_read(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(take_over("/raw-late"))
    await deferToThread(read_head, client)  # to close with something unread would reset the connection
    client.sendall(b"last words")
    client.close()
    await pause(1.3)  # past a look whether the client is there
    streams.go.callback(None)
    await until(lambda: b"".join(streams.read) == b"last words")
    await until(lambda: served.connections[0].phase is Phase.CLOSED, 3)


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_while_it_is_held_back_is_noticed(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(take_over("/raw-silent"))
    await until(lambda: streams.duplex)
    client.setblocking(False)
    for _ in range(50):
        try:
            client.send(PIECE)
        except BlockingIOError:
            await pause(0.005)
    client.close()
    await until(lambda: streams.seen == ["cancelled"], 10)
    await until(lambda: served.connections[0].phase is Phase.CLOSED)


@pytest_twisted.ensureDeferred
async def test_at_a_halt_it_is_closed_and_its_handler_cancelled(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(take_over("/raw-silent"))
    await until(lambda: streams.duplex)
    [connection] = served.connections
    closed = connection.halt()
    answer = await deferToThread(read_all, client)
    assert answer.endswith(b"\r\n\r\n")
    client.close()
    await closed
    assert streams.seen == ["cancelled"]


@pytest_twisted.ensureDeferred
async def test_it_holds_its_connection_until_both_ends_are_done(served: Served, streams: Streams) -> None:
    phases: list[Phase] = []

    def changed(connection: Connection, before: Phase, now: Phase) -> None:
        phases.append(now)

    client = served.connect()
    await until(lambda: served.connections)
    [connection] = served.connections
    connection.observe(changed)
    client.sendall(take_over())
    await until(lambda: streams.duplex)
    connection.begin_close()
    await pause(0.05)
    assert phases == [Phase.READING, Phase.SERVING, Phase.HIJACKED]
    client.shutdown(socket.SHUT_WR)
    assert (await deferToThread(read_all, client)).endswith(b"the end")
    client.close()
    await until(lambda: phases[-1] is Phase.CLOSED)
