"""Requests over a real socket: in a row, cut short, larger than memory, and from clients that leave."""

from __future__ import annotations

import gc
import json
import os
import resource
import socket
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from apiserver.http.connection import Phase
from apiserver.http.pieces import HIGH_BYTES
from apiserver.http.router import Router
from apiserver.http.settings import HttpSettings
from tests.support.http_socket import Served, pause, read_all, read_answer, read_chunk, read_head, until
from tests.support.http_streams import PIECE, Streams

NOW = b"GET /now HTTP/1.1\r\nHost: d\r\n\r\n"
LATER = b"GET /later HTTP/1.1\r\nHost: d\r\n\r\n"
IN_FLIGHT = 4 * 1024 * 1024
"""More than all buffers between a handler and a client hold."""


def post(path: str, body: bytes = b"", length: int | None = None, more: str = "") -> bytes:
    size = len(body) if length is None else length
    return f"POST {path} HTTP/1.1\r\nHost: d\r\nContent-Length: {size}\r\n{more}\r\n".encode() + body


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest_twisted.async_yield_fixture
async def served(streams: Streams) -> AsyncGenerator[Served, None]:
    served = Served(Router([streams.app]))
    yield served
    await served.end()


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest_twisted.ensureDeferred
async def test_requests_sent_in_a_row_are_answered_in_order(served: Served, streams: Streams) -> None:
    def client(sock: socket.socket) -> list[bytes]:
        sock.sendall(NOW + post("/json", b'{"a":1}') + LATER + NOW)
        return [read_answer(sock)[2] for _ in range(4)]

    answers = Deferred.fromCoroutine(served.talk(client))
    await until(lambda: "later" in streams.seen)
    assert streams.seen == ["now", "later"]
    streams.go.callback(None)
    assert await answers == [b"now", b'{"a":1}\n', b"later", b"now"]


@pytest_twisted.ensureDeferred
async def test_a_thousand_requests_in_one_piece_are_each_answered(served: Served) -> None:
    def client(sock: socket.socket) -> int:
        sock.sendall(NOW * 1000)
        return sum(read_answer(sock)[2] == b"now" for _ in range(1000))

    assert await served.talk(client) == 1000


@pytest_twisted.ensureDeferred
async def test_who_asks_is_known_by_the_kernel(served: Served) -> None:
    def client(sock: socket.socket) -> Any:
        sock.sendall(b"GET /peer HTTP/1.1\r\nHost: d\r\n\r\n")
        _, head, body = read_answer(sock)
        return head, json.loads(body)

    head, (peer, listener, name) = await served.talk(client)
    assert peer == [os.getpid(), os.getuid(), os.getgid()]
    assert listener == f"unix://{served.path}"
    assert f"X-Reference-Id: {name}\r\n".encode() in head


@pytest_twisted.ensureDeferred
async def test_a_client_that_only_stops_sending_still_gets_its_answer(served: Served, streams: Streams) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(LATER)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)

    answer = Deferred.fromCoroutine(served.talk(client))
    await until(lambda: streams.seen)
    await pause(0.1)
    streams.go.callback(None)
    assert (await answer).endswith(b"later")


@pytest_twisted.ensureDeferred
async def test_a_handler_is_cancelled_when_its_client_hangs_up(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(LATER)
    await until(lambda: streams.seen)
    client.close()
    await until(lambda: "cancelled" in streams.seen, 1)
    await until(lambda: served.connections[0].phase is Phase.CLOSED)


@pytest_twisted.ensureDeferred
async def test_a_client_that_hangs_up_after_it_stopped_sending_is_noticed_too(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(LATER)
    client.shutdown(socket.SHUT_WR)
    await until(lambda: streams.seen)
    await pause(0.1)
    assert "cancelled" not in streams.seen
    client.close()
    await until(lambda: "cancelled" in streams.seen, 3)


@pytest_twisted.async_yield_fixture
async def by_tcp(served: Served) -> AsyncGenerator[socket.socket, None]:
    """A connection to the same by TCP."""
    factory: Any = served.factory
    port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port.getHost().port), timeout=20) as client:
        yield client
    await port.stopListening()


LATER_BY_TCP = LATER.replace(b"Host: d", b"Host: localhost")


@pytest_twisted.ensureDeferred
async def test_a_client_on_tcp_that_only_stops_sending_still_gets_its_answer(
    by_tcp: socket.socket, streams: Streams
) -> None:
    by_tcp.sendall(LATER_BY_TCP)
    by_tcp.shutdown(socket.SHUT_WR)
    answer = deferToThread(read_all, by_tcp)
    await until(lambda: streams.seen)
    await pause(0.1)
    streams.go.callback(None)
    assert (await answer).endswith(b"later")


@pytest_twisted.ensureDeferred
async def test_a_client_on_tcp_that_seems_to_be_gone_is_given_up_after_a_while(
    by_tcp: socket.socket, streams: Streams
) -> None:
    by_tcp.sendall(LATER_BY_TCP)
    await until(lambda: streams.seen)
    by_tcp.close()
    await until(lambda: "cancelled" in streams.seen, 15)


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_within_its_body_is_an_error_for_the_reader(
    served: Served, streams: Streams
) -> None:
    client = served.connect()
    client.sendall(post("/up", b"half", length=100))
    await until(lambda: streams.taken)
    client.close()
    await until(lambda: streams.seen == ["gone"])


@pytest.mark.parametrize("chunked", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_gigabyte_comes_in_with_flat_memory(served: Served, streams: Streams, chunked: bool) -> None:
    size, piece = 1024**3, b"z" * 1024 * 1024

    def client(sock: socket.socket) -> bytes:
        if chunked:
            sock.sendall(b"POST /up HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            sock.sendall(post("/up", length=size))
        for _ in range(size // len(piece)):
            sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            sock.sendall(b"0\r\n\r\n")
        return read_answer(sock)[2]

    before = resident_bytes()
    answer = await served.talk(client)
    assert json.loads(answer) == size
    assert resident_bytes() - before < 30_000_000


@pytest_twisted.ensureDeferred
async def test_a_handler_that_does_not_read_holds_its_client_back(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(post("/hold", length=1024**3))
    client.setblocking(False)
    sent = 0
    for _ in range(50):
        try:
            sent += client.send(PIECE)
        except BlockingIOError:
            await pause(0.005)
    assert HIGH_BYTES < sent < IN_FLIGHT
    streams.go.callback(None)
    await until(lambda: streams.taken == sent)
    client.close()


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_while_it_is_held_back_is_noticed(served: Served, streams: Streams) -> None:
    for request in (post("/hold", length=1024**3), LATER + NOW * 1000):
        client = served.connect()
        client.setblocking(False)
        client.send(request)
        for _ in range(50):
            try:
                client.send(PIECE)
            except BlockingIOError:
                await pause(0.005)
        client.close()
        await until(lambda: served.connections[-1].phase is Phase.CLOSED, 3)


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_slows_the_handler_down(served: Served, streams: Streams) -> None:
    client = served.connect()
    client.sendall(b"GET /down/1024 HTTP/1.1\r\nHost: d\r\n\r\n")
    await until(lambda: streams.sent)
    held = 0
    while held < streams.sent < IN_FLIGHT:
        held = streams.sent
        await pause(0.2)
    assert held == streams.sent < IN_FLIGHT

    def rest() -> int:
        assert read_head(client).startswith(b"HTTP/1.1 200")
        return sum(len(chunk) for chunk in iter(lambda: read_chunk(client), b""))

    assert await deferToThread(rest) == 1024 * len(PIECE)
    client.close()


@pytest_twisted.ensureDeferred
async def test_a_client_that_reads_only_when_it_has_sent_all_is_no_dead_end(served: Served) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(post("/echo", length=64 * 1024 * 1024))
        for _ in range(64):
            sock.sendall(b"u" * 1024 * 1024)
        return read_answer(sock)[2]

    body = await served.talk(client)
    assert body == b"y" * 8 * 1024 * 1024 + b"end"


@pytest_twisted.ensureDeferred
async def test_100_is_sent_at_the_first_read_and_not_before(served: Served, streams: Streams) -> None:
    early: list[bytes] = []

    def client(sock: socket.socket) -> tuple[bytes, bytes]:
        sock.sendall(post("/hold", length=4, more="Expect: 100-continue\r\n"))
        sock.settimeout(0.3)
        try:
            early.append(sock.recv(1))
        except TimeoutError:
            early.append(b"")
        sock.settimeout(10)
        reactor.callFromThread(streams.go.callback, None)  # type: ignore[attr-defined]
        interim = read_head(sock)
        sock.sendall(b"data")
        return interim, read_answer(sock)[2]

    interim, body = await served.talk(client)
    assert early == [b""]
    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert json.loads(body) == 4


@pytest_twisted.ensureDeferred
async def test_who_is_refused_before_100_is_told_that_the_connection_closes(served: Served) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(post("/unread", length=4, more="Expect: 100-continue\r\n"))
        return read_all(sock)

    answer = await served.talk(client)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"unread")


@pytest_twisted.ensureDeferred
async def test_an_answer_before_the_end_of_the_body_does_not_end_the_connection(served: Served) -> None:
    def client(sock: socket.socket) -> list[bytes]:
        sock.sendall(post("/unread", b"a" * 1000, length=3000))
        first = read_answer(sock)[2]
        sock.sendall(b"a" * 2000 + NOW)
        return [first, read_answer(sock)[2]]

    assert await served.talk(client) == [b"unread", b"now"]


@pytest_twisted.ensureDeferred
async def test_a_body_that_nobody_wants_is_taken_for_a_limited_time(served: Served) -> None:
    def client(sock: socket.socket) -> float:
        sock.sendall(post("/unread", length=10**9))
        read_answer(sock)
        started = time.monotonic()
        try:
            while time.monotonic() - started < 10:
                sock.send(b"a")
                time.sleep(0.02)
        except ConnectionError:
            pass
        return time.monotonic() - started

    assert 0.5 < await served.talk(client) < 3


@pytest_twisted.ensureDeferred
async def test_a_body_that_is_too_large_is_413_also_for_who_still_sends(served: Served) -> None:
    def client(sock: socket.socket) -> int:
        size = 64 * 1024 * 1024
        sock.sendall(post("/json", length=size))
        for _ in range(size // len(PIECE)):
            sock.sendall(PIECE)
        return read_answer(sock)[0]

    assert await served.talk(client) == 413


@pytest_twisted.ensureDeferred
async def test_chunks_that_are_none_are_400_and_end_the_reader(served: Served, streams: Streams) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(b"POST /up HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        return read_all(sock)

    answer = await served.talk(client)
    assert answer.startswith(b"HTTP/1.1 400")
    assert streams.seen == ["gone"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /now HTTP/1.1\r\n" + b"a: b\r\n" * 501 + b"\r\n", 431),
        (b"GET /now HTTP/1.1\r\n" + b"a: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /now HTTP/1.1\r\n" + (b"a: " + b"b" * 1000 + b"\r\n") * 70 + b"\r\n", 431),
        (b"GET /now HTTP/1.1\r\n" + b"a: b\r\n" * 1_000_000 + b"\r\n", 431),
        (b"rubbish\r\n\r\n", 400),
        (b"GET /now HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /now HTTP/1.1\r\na b: c\r\n\r\n", 400),
        (b"POST /up HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /up HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST /up HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST /up HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_request_is_answered_as_json_and_the_connection_closes(
    served: Served, streams: Streams, sent: bytes, status: int
) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(sent)
        return read_all(sock)

    head, _, body = (await served.talk(client)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in head
    assert b"X-Reference-Id: " in head
    assert json.loads(body)["response"] == status
    assert not streams.seen


@pytest_twisted.ensureDeferred
async def test_an_answer_that_breaks_off_is_seen_as_broken_off(served: Served) -> None:
    def client(sock: socket.socket) -> bytes:
        sock.sendall(b"GET /breaks HTTP/1.1\r\nHost: d\r\n\r\n")
        return read_all(sock)

    answer = await served.talk(client)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'{"first":true}' in answer
    assert answer.count(b"HTTP/1.1") == 1
    assert not answer.endswith(b"0\r\n\r\n")


@pytest_twisted.ensureDeferred
async def test_a_json_body_that_stays_away_or_trickles_is_408_and_an_upload_may_pause(streams: Streams) -> None:
    settings = HttpSettings(body_silence=0.2, body_timeout=0.5, lingering=0.2)
    served = Served(Router([streams.app]), settings)

    def silent(sock: socket.socket) -> bytes:
        sock.sendall(post("/json", b'{"a":', length=1000))
        return read_all(sock)

    def trickling(sock: socket.socket) -> bytes:
        sock.sendall(post("/json", length=1000))
        try:
            for _ in range(20):
                sock.sendall(b" ")
                time.sleep(0.05)
        except ConnectionError:
            pass
        return read_all(sock)

    def pausing(sock: socket.socket) -> bytes:
        sock.sendall(post("/up", b"12345", length=10))
        time.sleep(1)
        sock.sendall(b"12345")
        return read_answer(sock)[2]

    for client, words in ((silent, b"nothing of the request body came"), (trickling, b"was not complete after")):
        answer = await served.talk(client)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"Connection: close" in answer
        assert words in answer
    assert json.loads(await served.talk(pausing)) == 10
    await served.end()


@pytest_twisted.ensureDeferred
async def test_a_head_that_does_not_end_is_408_though_bytes_keep_coming(streams: Streams) -> None:
    served = Served(Router([streams.app]), HttpSettings(header_timeout=0.4, lingering=0.2))

    def client(sock: socket.socket) -> tuple[bytes, float]:
        started = time.monotonic()
        sock.sendall(b"GET /now HTTP/1.1\r\n")
        try:
            for _ in range(40):
                sock.sendall(b"a: b\r\n")
                time.sleep(0.05)
        except ConnectionError:
            pass
        return sock.recv(100), time.monotonic() - started

    answer, seconds = await served.talk(client)
    assert answer.startswith(b"HTTP/1.1 408")
    assert seconds < 1.5
    await served.end()
