"""Little that becomes much: it fills neither the service's memory nor the disk, and holds nobody else up."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import socket
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.service import Service

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GROWTH_KIB = 30 * 1024
MEBI = 1 << 20


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


@pytest.fixture
def small(service: Service) -> Iterator[Callable[[], int]]:
    """The peak of the service's memory during the test is within bounds, and it answers afterwards."""
    Path(f"/proc/{service.pid}/clear_refs").write_text("5")
    before = peak_kib(service)
    yield lambda: peak_kib(service) - before
    assert peak_kib(service) - before < GROWTH_KIB
    assert service.request("GET", "/_ping", timeout=5)[0] == 200


def peak_kib(service: Service) -> int:
    return int(Path(f"/proc/{service.pid}/status").read_text().partition("VmHWM:")[2].split()[0])


pytestmark = pytest.mark.usefixtures("small")


def packed(kind: str, megabytes: int) -> bytes:
    """Some kilobytes that are `megabytes` in truth: one packed piece, over and over."""
    member = tarfile.TarInfo("zeros")
    member.size = megabytes * MEBI
    pack: Callable[[bytes], bytes] = {
        "gzip": lambda data: gzip.compress(data, 9),
        "xz": lambda data: lzma.compress(data, preset=0),
        "zstd": lambda data: zstd.compress(data),
    }[kind]
    # Members, streams and frames in a row are one stream in all three formats.
    return pack(member.tobuf(tarfile.GNU_FORMAT)) + pack(bytes(MEBI)) * megabytes + pack(bytes(1024))


@pytest.fixture(scope="module")
def narrow() -> Iterator[Service]:
    """A service whose root is on a file system of 200 MB."""
    own = Service("--idle-timeout", "0")
    own.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m,mode=700", "tmpfs", str(own.root)], check=True)
    try:
        own.start()
        yield own
        assert own.terminate() == 0
    finally:
        own.discard()


@pytest.mark.parametrize("kind", ["gzip", "xz", "zstd"])
@pytest.mark.parametrize("path", ["/images/load", "/images/create?fromSrc=-&repo=bomb"])
def test_ten_gigabytes_in_a_few_do_not_fill_the_disk(narrow: Service, kind: str, path: str) -> None:
    """They stop where little room is left, which containers need, and leave nothing."""
    bomb = packed(kind, 10 * 1024)
    Path(f"/proc/{narrow.pid}/clear_refs").write_text("5")
    memory = peak_kib(narrow)
    free = room(narrow)
    status, body = narrow.request("POST", path, bomb)
    assert status == 500
    assert "no space left on device" in json.loads(body)["message"]
    assert abs(room(narrow) - free) < MEBI
    assert list((narrow.root / "tmp").iterdir()) == []
    assert json.loads(narrow.request("GET", "/images/json?all=1")[1]) == []
    assert peak_kib(narrow) - memory < GROWTH_KIB


def room(service: Service) -> int:
    found = os.statvfs(service.root)
    return found.f_bavail * found.f_frsize


def test_some_room_is_left_while_a_bomb_swells(narrow: Service) -> None:
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(narrow.request, "POST", "/images/load", packed("gzip", 4096))
        least = room(narrow)
        while not sending.done():
            least = min(least, room(narrow))
        assert sending.result()[0] == 500
    assert 32 * MEBI < least < 150 * MEBI


@pytest.mark.parametrize("preset", ["xz dictionary", "zstd window"])
def test_what_asks_for_much_memory_to_be_unpacked_is_refused(service: Service, preset: str) -> None:
    if preset == "xz dictionary":
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
        data = _with_dictionary(lzma.compress(b"x" * 1000, filters=filters))
    else:
        data = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"  # a window of 2 GiB
    status, body = service.request("POST", "/images/load", data)
    assert status == 400, body


def _with_dictionary(stream: bytes) -> bytes:
    """The same xz stream, whose block claims a dictionary of 1.5 GiB."""
    size = (stream[12] + 1) * 4
    block = bytearray(stream[12 : 12 + size - 4])
    at = bytes(block).index(b"\x21\x01") + 2
    block[at] = 37
    return stream[:12] + bytes(block) + zlib.crc32(bytes(block)).to_bytes(4, "little") + stream[12 + size :]


def test_a_hundred_thousand_members_of_nothing_are_no_memory(service: Service) -> None:
    """50 MB that are some kilobytes packed."""
    member = tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)
    archive = gzip.compress(member * 100_000 + bytes(1024), 1)
    status, body = service.request("POST", "/images/load", archive)
    assert status == 400, body


def test_json_of_an_archive_has_a_limit(service: Service) -> None:
    for name in ("manifest.json", "index.json", "oci-layout"):
        member = tarfile.TarInfo(name)
        member.size = 100 * MEBI
        archive = gzip.compress(member.tobuf() + b"[" + b" " * (100 * MEBI - 1) + bytes(1024), 1)
        assert service.request("POST", "/images/load", archive)[0] == 400


def test_a_body_of_json_has_a_limit(service: Service) -> None:
    for path in ("/containers/create", "/volumes/create"):
        status, body = service.request("POST", path, b'{"Image": "' + b"x" * (9 * MEBI) + b'"}')
        assert status == 413, body
        assert json.loads(body)["message"]


def send(service: Service, *pieces: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(service.socket))
        try:
            for piece in pieces:
                client.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before all was sent
        try:
            return client.recv(65536)
        except ConnectionResetError:
            return b""


def test_a_million_headers_are_431(service: Service) -> None:
    many = (b"X-%d: %s\r\n" % (number, b"y" * 30) for number in range(1_000_000))
    pieces = [b"".join(many)[:8_000_000]]
    assert b" 431 " in send(service, b"GET /_ping HTTP/1.1\r\nHost: d\r\n", *pieces).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"y" * 10_000_000 + b"\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: d\r\n" + b" folded\r\n" * 100_000 + b"\r\n",
        b"G" * 10_000_000,
    ],
)
def test_a_line_without_end_is_refused(service: Service, head: bytes) -> None:
    assert send(service, head)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431", b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 0x5\r\n\r\nabcde",
        b"Content-Length: 99999999999999999999999\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000,
    ],
)
def test_a_body_whose_length_is_a_trick_is_refused(service: Service, sent: bytes) -> None:
    answer = send(service, b"POST /containers/create HTTP/1.1\r\nHost: d\r\n" + sent)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5", b"")
    assert service.containers() == []


def hijack(service: Service, path: str, body: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(service.socket))
    head = f"POST {path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    client.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    assert client.recv(16).startswith(b"HTTP/1.1 101")
    return client


@pytest.fixture
def box(docker: Docker) -> str:
    return docker.ok("run", "-d", "--network", "none", "busybox", "sleep", "1000")


def test_an_exec_that_prints_a_gigabyte_to_a_reader_that_sleeps_is_held_back(
    service: Service, box: str, small: Callable[[], int]
) -> None:
    clients = []
    for _ in range(5):
        status, body = service.request(
            "POST", f"/containers/{box}/exec", {"Cmd": ["head", "-c", str(1 << 30), "/dev/zero"], "AttachStdout": True}
        )
        assert status == 201, body
        clients.append(hijack(service, f"/exec/{json.loads(body)['Id']}/start", b"{}"))
    time.sleep(1.5)
    assert small() < GROWTH_KIB
    for client in clients:
        client.close()


def test_a_thousand_attaches_that_leave_cost_nothing(service: Service, docker: Docker) -> None:
    script = "while :; do echo line; sleep 0.02; done"
    container = docker.ok("run", "-d", "--network", "none", "busybox", "sh", "-c", script)
    open_before = len(os.listdir(f"/proc/{service.pid}/fd"))
    for _ in range(20):
        clients = [hijack(service, f"/containers/{container}/attach?stream=1&stdout=1", b"") for _ in range(50)]
        for client in clients:
            client.close()
    deadline = time.monotonic() + 20
    while len(os.listdir(f"/proc/{service.pid}/fd")) > open_before + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir(f"/proc/{service.pid}/fd")) <= open_before + 2


def test_who_sends_to_a_process_that_does_not_read_is_held_back(service: Service, docker: Docker) -> None:
    container = docker.ok("run", "-d", "-i", "--network", "none", "busybox", "sleep", "1000")
    client = hijack(service, f"/containers/{container}/attach?stream=1&stdin=1", b"")
    client.settimeout(1)
    sent = 0
    with suppress(TimeoutError):
        while sent < 64 * MEBI:
            sent += client.send(bytes(MEBI))
    client.close()
    assert sent < 16 * MEBI


def test_answers_that_nobody_reads_are_held_back(service: Service, docker: Docker) -> None:
    """A log and events, asked for by clients that read nothing."""
    script = "yes | head -c 15000000"
    container = docker.ok("run", "-d", "--network", "none", "busybox", "sh", "-c", script)
    docker.ok("wait", container)
    clients = []
    for path in (f"/containers/{container}/logs?stdout=1", "/events?since=1", "/containers/json?all=1") * 5:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(service.socket))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode() * 20)
        clients.append(client)
    time.sleep(1)
    for client in clients:
        client.close()


def test_uploads_that_stop_halfway_leave_nothing(service: Service) -> None:
    for path in ("/images/load", "/images/create?fromSrc=-"):
        for _ in range(10):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(service.socket))
                head = f"POST {path} HTTP/1.1\r\nHost: d\r\nContent-Length: {10 * MEBI}\r\n\r\n"
                client.sendall(head.encode() + bytes(MEBI))
    deadline = time.monotonic() + 10
    while list((service.root / "tmp").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list((service.root / "tmp").iterdir()) == []


def test_environment_and_labels_within_the_limit_of_a_body_cost_what_they_are(service: Service) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "Labels": {f"k{n}": "v" * 50 for n in range(20_000)}}
    status, answer = service.request("POST", "/containers/create", body)
    assert status == 201, answer


def test_a_tree_of_thousands_of_levels_is_removed(service: Service, docker: Docker) -> None:
    """In a container's own layer, and in a volume."""
    script = "for where in / /v; do cd $where; n=0; while [ $n -lt 1500 ]; do mkdir d; cd d; n=$((n+1)); done; done"
    container = docker.ok("run", "-d", "--network", "none", "-v", "deep:/v", "busybox", "sh", "-c", script)
    assert docker.ok("wait", container) == "0"
    docker.ok("rm", container)
    docker.ok("volume", "rm", "deep")
    assert not list((service.root / "containers").iterdir())
    assert not list((service.root / "volumes").iterdir())
