"""Idle exit loses no request: real starts and real exits under a socket that somebody else holds."""

from __future__ import annotations

import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.holder import Holder
from tests.support.service import PROGRAM

WINDOW = 0.3
JITTER = 0.01
HOLDERS = 3
REQUESTS = 300
STARTS = 50
ANSWER_LIMIT = 30.0

PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"


@dataclass
class Tally:
    """What came of the requests.

    Attributes:
        refused: kept-alive sends that failed before a byte was taken.
        wrong: what must not happen, in words.
    """

    whole: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def read_whole(client: socket.socket) -> tuple[bytes, bool]:
    """One answer, and whether the connection is kept.

    Raises:
        EOFError: the connection ended before the answer did.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(client, data)
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        body += _more(client, body)
    if not head.startswith(b"HTTP/1.1 200 ") or body != b"OK":
        raise EOFError(f"not the answer to a ping: {head!r} {body!r}")
    return body, fields.get(b"connection") != b"close"


def _more(client: socket.socket, before: bytes) -> bytes:
    piece = client.recv(65536)
    if not piece:
        raise EOFError(f"ended after {before!r}")
    return piece


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(ANSWER_LIMIT)
    client.connect(str(path))
    return client


def ask(client: socket.socket, tally: Tally, *, kept: bool) -> bool:
    """One request, never repeated; whether the connection may be used again."""
    try:
        taken = client.send(PING)
    except (BrokenPipeError, ConnectionResetError) as error:
        with tally.lock:
            if kept:
                tally.refused += 1
            else:
                tally.wrong.append(f"a new connection did not take its request: {error}")
        return False
    try:
        assert taken == len(PING)
        _, keep = read_whole(client)
    except (OSError, EOFError) as error:
        with tally.lock:
            tally.wrong.append(f"{'kept' if kept else 'new'} connection: {error!r}")
        return False
    with tally.lock:
        tally.whole += 1
    return keep


def visit(path: Path, requests: int, seed: int, tally: Tally) -> None:
    """Ask around the two moments at which a service of ours might leave a client alone.

    Three of four come in anew when the window is about over; the others use a connection again when its own time is.
    """
    chance = random.Random(seed)
    asked = 0
    while asked < requests:
        with connected(path) as client:
            kept = ask(client, tally, kept=False)
            asked += 1
            if kept and asked < requests and chance.random() < 0.25:
                time.sleep(2 * WINDOW + chance.uniform(-JITTER, JITTER))
                ask(client, tally, kept=True)
                asked += 1
        time.sleep(WINDOW + chance.uniform(-JITTER, JITTER))


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="idle", dir="/tmp") as name:  # a socket's path has 107 bytes
        yield Path(name)


def holder(folder: Path, window: float = WINDOW) -> Holder:
    folder.mkdir(exist_ok=True)
    command = [str(PROGRAM), "serve", "--root", str(folder / "root"), "--runroot", str(folder / "run")]
    command += ["--idle-timeout", str(window), "--log-level", "debug"]
    return Holder(folder / "s", command, folder / "log")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_no_request_is_lost_around_the_idle_window_or_the_keep_alive_time(folder: Path) -> None:
    tally = Tally()
    holders = [holder(folder / str(number)) for number in range(HOLDERS)]
    inodes = [each.inode for each in holders]
    visitors = [
        threading.Thread(target=visit, args=(each.path, REQUESTS // HOLDERS, seed, tally))
        for seed, each in enumerate(holders)
    ]
    for each in holders:
        each.__enter__()
    try:
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        time.sleep(4 * WINDOW)  # the last ones leave by themselves
    finally:
        for each in holders:
            each.__exit__()
    statuses = [status for each in holders for status in each.statuses]
    logs = "".join((each.path.parent / "log").read_text() for each in holders)
    called_off = logs.count("called off")
    print(f"{tally.whole} whole, {tally.refused} refused, {len(statuses)} starts, {called_off} exits called off")
    assert tally.wrong == []
    assert tally.whole + tally.refused == REQUESTS
    assert tally.whole > REQUESTS * 3 // 4
    assert len(statuses) >= STARTS
    assert set(statuses) == {0}
    assert [each.inode for each in holders] == inodes


def test_a_passed_socket_is_neither_unlinked_nor_shut_down_nor_changed(folder: Path) -> None:
    with holder(folder) as held:
        held.path.chmod(0o600)
        before = held.path.stat()
        for _ in range(2):
            with connected(held.path) as client:
                client.send(PING)
                read_whole(client)
            while held.service is None or held.service.poll() is None:
                time.sleep(0.01)
        after = held.path.stat()
        assert held.listens()
        assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert held.statuses == [0, 0]


def test_a_service_that_is_told_to_stop_leaves_the_queue_to_the_next(folder: Path) -> None:
    with holder(folder, window=60) as held:
        with connected(held.path) as client:
            client.send(PING)
            read_whole(client)
        assert held.service is not None
        held.service.terminate()
        held.service.wait()
        with connected(held.path) as client:
            client.send(PING)
            read_whole(client)
    assert held.statuses == [0, 0]
