"""Connections over TLS on a real socket: what ends them, what only ends one direction, and how long that takes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from apiserver.http.app import group_app
from apiserver.http.connection import Connection, Phase
from apiserver.http.reply import reply_text
from apiserver.http.request import Request
from apiserver.http.router import Router
from apiserver.http.settings import HttpSettings
from tests.support.certificates import TlsFiles
from tests.support.http_socket import pause, until
from tests.support.http_streams import Streams
from tests.support.tls_socket import TlsClient, TlsServed

# Twisted still hands OpenSSL's Python module objects of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

LARGE_BYTES = 32 << 20
TAKE_OVER = b"POST /raw HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return TlsFiles(tmp_path)


@pytest_twisted.async_yield_fixture
async def served(streams: Streams, files: TlsFiles) -> AsyncGenerator[TlsServed, None]:
    served = TlsServed(Router([streams.app]), files)
    yield served
    await served.end()


@pytest_twisted.ensureDeferred
async def test_a_taken_over_connection_reads_the_end_of_what_its_client_sends_and_writes_on(
    served: TlsServed, streams: Streams
) -> None:
    def client(it: TlsClient) -> bytes:
        it.tls.sendall(TAKE_OVER + b"all")
        it.read_until(b"\r\n\r\n")
        it.tls.shutdown()
        return it.read_all()

    assert await served.talk(client) == b"ALLthe end"
    assert streams.seen == []
    await until(lambda: served.connections[0].phase is Phase.CLOSED)


@pytest_twisted.ensureDeferred
async def test_a_taken_over_connection_that_is_cut_off_is_lost_and_its_input_has_no_end(
    served: TlsServed, streams: Streams
) -> None:
    def client(it: TlsClient) -> bytes:
        it.tls.sendall(TAKE_OVER + b"a part")
        it.read_until(b"A PART")
        it.tcp.shutdown(1)  # as anybody on the way could make it look
        return it.read_all()

    with pytest.raises(Exception, match=r"(?i)unexpected eof"):
        await served.talk(client)
    await until(lambda: served.connections[0].phase is Phase.CLOSED)
    assert streams.seen == ["gone"]


@pytest_twisted.ensureDeferred
async def test_an_upload_that_is_cut_off_is_not_a_whole_one(served: TlsServed, streams: Streams) -> None:
    def client(it: TlsClient) -> None:
        it.tls.sendall(b"POST /up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")

    await served.talk(client)
    await until(lambda: streams.seen)
    assert (streams.taken, streams.seen) == (3, ["gone"])


@pytest_twisted.ensureDeferred
async def test_an_idle_client_that_says_close_notify_is_closed_in_the_same_way(served: TlsServed) -> None:
    def client(it: TlsClient) -> bool:
        it.tls.sendall(b"GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n")
        it.read_until(b"now")
        it.tls.shutdown()
        return it.read_all() == b"" and it.tcp_ended()

    assert await served.talk(client)


# --- the end that comes from us, which not every client answers ---

NOW = b"GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest_twisted.async_yield_fixture
async def patient(streams: Streams, files: TlsFiles) -> AsyncGenerator[TlsServed, None]:
    """Waits for clients for longer than any test."""
    served = TlsServed(Router([streams.app]), files, HttpSettings(lingering=1000))
    yield served
    await served.end()


async def kept(served: TlsServed) -> tuple[TlsClient, Connection]:
    """A client that was answered once, and its connection."""
    client = await served.connect()
    client.tls.sendall(NOW)
    await deferToThread(client.read_until, b"now")
    connection = served.connections[-1]
    await until(lambda: connection.phase is Phase.KEPT)
    return client, connection


@pytest_twisted.ensureDeferred
async def test_an_idle_client_that_does_not_read_holds_up_no_end(patient: TlsServed) -> None:
    client, connection = await kept(patient)
    with client.tcp:
        connection.begin_close()
        await until(lambda: connection.phase is Phase.CLOSED)
        assert await deferToThread(client.read_all) == b""  # it finds our close_notify when it looks
        assert client.tcp_ended()


@pytest_twisted.ensureDeferred
async def test_a_client_that_never_sent_a_request_holds_up_no_end(patient: TlsServed) -> None:
    client = await patient.connect()
    with client.tcp:
        await until(lambda: patient.connections)
        [connection] = patient.connections
        connection.begin_close()
        await until(lambda: connection.phase is Phase.CLOSED)


@pytest_twisted.ensureDeferred
async def test_a_request_that_was_sent_before_the_end_is_answered_and_told_of_it(
    patient: TlsServed, streams: Streams
) -> None:
    client, connection = await kept(patient)
    with client.tcp:
        client.tls.sendall(NOW)  # in the socket; the reactor has not looked
        connection.begin_close()
        answer = await deferToThread(client.read_all)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in answer
    assert streams.seen == ["now", "now"]


@pytest_twisted.ensureDeferred
async def test_a_request_behind_the_last_one_is_dropped_and_not_run(patient: TlsServed, streams: Streams) -> None:
    client = await patient.connect()
    with client.tcp:
        client.tls.sendall(LAST)
        await deferToThread(client.read_until, b"now")
        client.tls.sendall(NOW)
        client.tls.shutdown()
        assert await deferToThread(client.read_all) == b""
        await until(lambda: patient.connections[0].phase is Phase.CLOSED)
    assert streams.seen == ["now"]


@pytest_twisted.ensureDeferred
async def test_after_the_last_answer_a_client_that_says_no_close_notify_is_waited_for_a_while(
    files: TlsFiles, streams: Streams
) -> None:
    served = TlsServed(Router([streams.app]), files, HttpSettings(lingering=0.2))
    client = await served.connect()
    with client.tcp:
        client.tls.sendall(LAST)
        await until(lambda: served.connections[0].phase is Phase.CLOSED)
        assert (await deferToThread(client.read_all)).endswith(b"now")
    await served.end()


class Large:
    """Answers more than the kernel takes at once."""

    app = group_app()

    @app.route("/large", methods=["GET"])
    def docker_large(self, request: Request) -> bytes:
        return reply_text(request, "y" * LARGE_BYTES)


@pytest_twisted.ensureDeferred
async def test_a_last_answer_is_read_whole_by_a_client_that_takes_its_time(files: TlsFiles) -> None:
    served = TlsServed(Router([Large().app]), files, HttpSettings(lingering=0.1))
    client = await served.connect()
    with client.tcp:
        client.tls.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await until(lambda: served.connections[0].requests)
        await pause(1)  # ten times as long as it is waited for a close_notify
        answer = await deferToThread(client.read_all)
        assert answer.endswith(b"y" * LARGE_BYTES)
        await until(lambda: served.connections[0].phase is Phase.CLOSED)
    await served.end()
