"""The docker command and docker-py over TLS: what they run, what it says, and how it ends."""

from __future__ import annotations

import gc
import hashlib
import http.client
import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from docker.errors import ContainerError
from docker.tls import TLSConfig

from tests.integration.conftest import ready
from tests.support.certificates import Authority, TlsFiles
from tests.support.docker import Docker
from tests.support.service import PROGRAM, Service


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return TlsFiles(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def service(files: TlsFiles) -> Iterator[Service]:
    own = ready(Service("--idle-timeout", "0", "--listen", files.endpoint))
    yield own
    own.close()


@pytest.fixture(scope="module")
def port(service: Service) -> int:
    return tls_port(service)


def tls_port(service: Service) -> int:
    """What it says of it in its log."""
    said = next(line for line in service.log().splitlines() if "URI ssl://" in line)
    return int(said.rpartition(":")[2])


@contextmanager
def over_tls(port: int, name: str, authority: Path, protocols: Sequence[str] = ()) -> Iterator[ssl.SSLSocket]:
    """A connection that checks that it is `name` who answers."""
    context = ssl.create_default_context(cafile=str(authority))
    if protocols:
        context.set_alpn_protocols(protocols)
    with (
        socket.create_connection(("127.0.0.1", port), 30) as tcp,
        context.wrap_socket(tcp, server_hostname=name) as client,
    ):
        yield client


def ping(client: socket.socket, host: str) -> tuple[int, bytes]:
    """The status and the body, of the last request on this connection."""
    client.sendall(f"GET /_ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = http.client.HTTPResponse(client)
    answer.begin()
    return answer.status, answer.read()


class TlsDocker(Docker):
    """Checks who answers, and shows a certificate of its own."""

    def __init__(self, port: int, files: TlsFiles, config: Path) -> None:
        super().__init__(f"tcp://127.0.0.1:{port}", config)
        self.environment |= {"DOCKER_CERT_PATH": str(files.client), "DOCKER_TLS_VERIFY": "1"}


@pytest.fixture
def docker(service: Service, port: int, files: TlsFiles, tmp_path: Path) -> Iterator[Docker]:
    yield TlsDocker(port, files, tmp_path)
    service.remove_containers()


def test_run_over_tls_has_its_output_and_its_code(docker: Docker) -> None:
    assert docker.ok("--tlsverify", "run", "--rm", "--network", "none", "busybox", "echo", "plain") == "plain"
    said = docker("run", "--rm", "--network", "none", "busybox", "sh", "-c", "echo out; echo err >&2; exit 4")
    assert (said.stdout, said.stderr, said.code) == ("out\n", "err\n", 4)


def test_a_client_needs_no_certificate(port: int, files: TlsFiles, docker: Docker, tmp_path: Path) -> None:
    bare = Docker(f"tcp://localhost:{port}", tmp_path)
    checked = ("--tlsverify", "--tlscacert", str(files.client / "ca.pem"))
    assert bare.ok(*checked, "version", "--format", "{{.Server.Os}}") == "linux"


def test_who_has_no_certificate_of_the_named_authority_is_not_let_in(
    make_service: Callable[..., Service], files: TlsFiles, tmp_path: Path
) -> None:
    service = make_service("--idle-timeout", "0", "--listen", f"{files.endpoint}:clientCA={files.client / 'ca.pem'}")
    service.start()
    port = tls_port(service)
    version = ("version", "--format", "{{.Server.Os}}")
    assert TlsDocker(port, files, tmp_path).ok(*version) == "linux"
    checked = ("--tlsverify", "--tlscacert", str(files.client / "ca.pem"))
    other_cert, other_key = tmp_path / "other.cert", tmp_path / "other.key"
    for file, pem in zip((other_cert, other_key), Authority("another").issue(["client"]), strict=True):
        file.write_bytes(pem)
    for shown, why in (((), "certificate required"), (("--tlscert", other_cert, "--tlskey", other_key), "unknown")):
        said = Docker(f"tcp://localhost:{port}", tmp_path)(*checked, *map(str, shown), *version)
        assert (said.code, said.stdout.strip(), why in said.stderr) == (1, "", True), said.stderr
    assert service.terminate() == 0, service.log_tail()


def test_authorities_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    files = TlsFiles(tmp_path)
    places = ["--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run")]
    for authorities in (files.key, tmp_path / "nowhere"):
        words = [str(PROGRAM), "serve", *places, "--listen", f"{files.endpoint}:clientCA={authorities}"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "TLS on port 0: " in done.stderr
        assert str(authorities) in done.stderr


def test_what_a_run_says_long_after_the_client_has_sent_its_last_byte_still_comes(docker: Docker) -> None:
    script = "sleep 1; head -c 3000000 /dev/zero; sleep 1; echo end"
    done = docker.binary("run", "--rm", "--network", "none", "busybox", "sh", "-c", script)
    assert (done.stdout, done.returncode) == (bytes(3_000_000) + b"end\n", 0)


def test_standard_input_over_tls_comes_whole_and_ends(docker: Docker) -> None:
    assert docker.ok("run", "--rm", "-i", "--network", "none", "busybox", "cat", input="hi there") == "hi there"
    script = "sha256sum; echo done; exit 4"
    data = os.urandom(20 << 20)
    said = docker("run", "--rm", "-i", "--network", "none", "busybox", "sh", "-c", script, input=data)
    assert (said.stdout, said.code) == (f"{hashlib.sha256(data).hexdigest()}  -\ndone\n", 4)
    assert docker.binary("run", "--rm", "-i", "--network", "none", "busybox", "cat", input=data).stdout == data


def test_exec_over_tls_has_output_input_and_a_code(docker: Docker) -> None:
    docker.ok("run", "-d", "--name", "te", "--network", "none", "busybox", "sleep", "100")
    said = docker("exec", "te", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (said.stdout, said.stderr, said.code) == ("out\n", "err\n", 3)
    said = docker("exec", "-i", "te", "sh", "-c", "cat; exit 5", input="in")
    assert (said.stdout, said.code) == ("in", 5)
    assert docker.ok("exec", "te", "true") == ""


def test_an_attach_over_tls_has_the_output_up_to_the_end(docker: Docker) -> None:
    docker.ok("create", "-i", "--name", "ta", "--network", "none", "busybox", "sh", "-c", "cat; sleep 1; echo end")
    assert docker.ok("start", "-ai", "ta", input="hello ") == "hello end"


def test_a_run_whose_input_stays_open_ends_with_its_program(docker: Docker) -> None:
    with docker.start("run", "--rm", "-i", "--network", "none", "busybox", "echo", "plain") as client:
        try:
            assert client.wait(30) == 0  # its input is a pipe that nobody closes
            assert client.stdout is not None
            assert client.stdout.read() == b"plain\n"
        finally:
            client.kill()


# --- docker-py, and others that offer protocols in their first message ---


@pytest.fixture
def sdk(service: Service, port: int, files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # which go before what it is told
        monkeypatch.delenv(name, raising=False)
    own = (str(files.client / "cert.pem"), str(files.client / "key.pem"))
    tls = TLSConfig(client_cert=own, ca_cert=str(files.client / "ca.pem"), verify=True)
    client = DockerClient(base_url=f"tcp://127.0.0.1:{port}", tls=tls, version="auto", timeout=60)
    yield client
    service.remove_containers()
    client.close()
    gc.collect()  # while its warnings are still ignored


# docker-py leaves the sockets of attach and exec to the garbage collector.
sockets_left = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@sockets_left
def test_docker_py_runs_and_executes_over_tls(sdk: Any) -> None:
    assert sdk.containers.run("busybox", "echo hi", network_mode="none", remove=True) == b"hi\n"
    with pytest.raises(ContainerError) as caught:
        sdk.containers.run("busybox", ["sh", "-c", "echo no >&2; exit 3"], network_mode="none", remove=True)
    assert (caught.value.exit_status, caught.value.stderr) == (3, b"no\n")
    container = sdk.containers.run("busybox", "sleep 100", network_mode="none", detach=True)
    done = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
    assert (done.exit_code, done.output) == (4, (b"out\n", b"err\n"))


@sockets_left
def test_docker_py_writes_to_an_exec_over_tls_and_reads_on(sdk: Any) -> None:
    container = sdk.containers.run("busybox", "sleep 100", network_mode="none", detach=True)
    made = sdk.api.exec_create(container.id, ["head", "-c", "5"], stdin=True)
    attached = sdk.api.exec_start(made["Id"], socket=True)
    attached.sendall(b"hello")
    attached.settimeout(20)
    assert b"".join(iter(lambda: attached.recv(100), b"")) == b"\x01\0\0\0\0\0\0\x05hello"
    attached.close()
    assert sdk.api.exec_inspect(made["Id"])["ExitCode"] == 0


def test_a_client_that_offers_protocols_agrees_on_http_1_1(port: int, files: TlsFiles) -> None:
    with over_tls(port, "localhost", files.client / "ca.pem", ["h2", "http/1.1"]) as client:
        assert client.selected_alpn_protocol() == "http/1.1"
        assert ping(client, "localhost") == (200, b"OK")


# --- the service's end, with a client that does not read ---


def test_a_client_that_does_not_read_holds_up_no_end_of_the_service(
    make_service: Callable[..., Service], files: TlsFiles
) -> None:
    service = make_service("--idle-timeout", "0", "--drain-timeout", "60", "--listen", files.endpoint)
    service.start()
    context = ssl.create_default_context(cafile=str(files.client / "ca.pem"))
    with (
        socket.create_connection(("127.0.0.1", tls_port(service)), 30) as tcp,
        context.wrap_socket(tcp, server_hostname="localhost") as client,
    ):
        client.sendall(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        assert service.terminate() == 0, service.log_tail()
    assert "cut off" not in service.log()


def test_a_key_that_will_not_do_is_one_line_and_no_terminal_is_asked(tmp_path: Path) -> None:
    files = TlsFiles(tmp_path)
    for certificate, key in (
        Authority("another").issue(["localhost"], password=b"secret"),
        (files.certificate.read_bytes(), Authority("another").issue(["localhost"])[1]),
    ):
        files.certificate.write_bytes(certificate)
        files.key.write_bytes(key)
        places = ["--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--listen", files.endpoint]
        leader, terminal = os.openpty()
        try:
            # a session of its own, with this terminal: OpenSSL asks /dev/tty
            words = ["setsid", "--ctty", "--wait", str(PROGRAM), "serve", *places]
            done = subprocess.run(words, stdin=terminal, capture_output=True, text=True, check=False, timeout=60)
        finally:
            os.close(terminal)
            os.close(leader)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert f"TLS on port 0: {files.key}" in done.stderr or f"TLS on port 0: the key in {files.key}" in done.stderr


# --- by name ---


def test_names_that_are_allowed_or_in_the_certificate_are_served(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    files = TlsFiles(tmp_path, ["engine.example", "said.example"])
    service = make_service("--listen", files.endpoint, "--listen", "tcp:0", "--allowed-host", "Said.Example")
    service.start()
    for name, status in (("engine.example", 200), ("said.example", 200), ("other.example", 403)):
        with over_tls(tls_port(service), "engine.example", files.client / "ca.pem") as client:
            assert ping(client, name)[0] == status
    plain = int(next(line for line in service.log().splitlines() if "URI tcp://" in line).rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", plain), 30) as tcp:
        assert ping(tcp, "said.example") == (200, b"OK")
    with socket.create_connection(("127.0.0.1", plain), 30) as tcp:
        status, body = ping(tcp, "engine.example")  # nobody checks a certificate there
        assert (status, b"--allowed-host" in body) == (403, True)
