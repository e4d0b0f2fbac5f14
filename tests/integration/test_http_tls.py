"""Connections over TLS on a real socket: what ends them, what only ends one direction, and how long that takes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_twisted

from apiserver.http.connection import Phase
from apiserver.http.router import Router
from tests.support.certificates import TlsFiles
from tests.support.http_socket import until
from tests.support.http_streams import Streams
from tests.support.tls_socket import TlsClient, TlsServed

# Twisted still hands OpenSSL's Python module objects of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

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
