"""Debian's docker-registry on loopback, on a port of its own, with its data in a directory of the test's."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.image_archive import TestImage

PROGRAM = shutil.which("docker-registry") or str(Path(sys.executable).with_name("docker-registry"))

USERNAME = "somebody"
PASSWORD = "s3cret-Pa55-word"
_HTPASSWD = f"{USERNAME}:$2y$04$abcdefghijklmnopqrstuuMYz.CpyhgmZmqCIJuXsbu7yszHdMU5S\n"

_START_LIMIT = 20.0
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class DockerRegistry:
    """A running registry.

    Attributes:
        host: `127.0.0.1:PORT`, as it stands in references.
        ca: certificate of its authority where it speaks TLS.
    """

    def __init__(self, folder: Path, *, protected: bool = False, tls: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.protected = protected
        self.log_path = folder / "log"
        self.ca = make_certificate(folder) if tls else None
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.host, "secret": "of-the-tests"},
        }
        if tls:
            config["http"]["tls"] = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
        if protected:
            (folder / "htpasswd").write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
        (folder / "config.json").write_text(json.dumps(config))  # JSON is YAML
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "serve", str(folder / "config.json")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One blocking request with the right credentials: status, headers by lower-case name, body."""
        if self.ca is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        else:
            context = ssl.create_default_context(cafile=str(self.ca))
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        sent = dict(headers or {})
        if self.protected:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def put_blob(self, repository: str, data: bytes) -> str:
        """Store a blob; answers its digest."""
        status, headers, body = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202, body
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        place = headers["location"].split(self.host, 1)[-1]
        path = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        status, _, body = self.request("PUT", path, data, {"Content-Type": "application/octet-stream"})
        assert status == 201, body
        return digest

    def put_manifest(self, repository: str, tag: str, manifest: dict[str, Any]) -> str:
        data = json.dumps(manifest).encode()
        headers = {"Content-Type": manifest["mediaType"]}
        status, _, body = self.request("PUT", f"/v2/{repository}/manifests/{tag}", data, headers)
        assert status == 201, body
        return "sha256:" + hashlib.sha256(data).hexdigest()

    def put_image(self, repository: str, tag: str, image: TestImage) -> str:
        """Store an image, its layers as they are; answers the digest of its manifest."""
        return self.put_manifest(repository, tag, image_manifest(image, lambda data: self.put_blob(repository, data)))

    def names(self, repository: str) -> list[str]:
        status, _, body = self.request("GET", f"/v2/{repository}/tags/list")
        return sorted(json.loads(body)["tags"]) if status == 200 else []

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_LIMIT
        while True:
            assert self._process.poll() is None, self.log_path.read_text()
            try:
                assert self.request("GET", "/v2/")[0] == 200
                return
            except OSError:
                assert time.monotonic() < deadline, self.log_path.read_text()
                time.sleep(0.02)


def image_manifest(image: TestImage, put: Any) -> dict[str, Any]:
    """The manifest of an image whose blobs go through `put`, from bytes to digest."""

    def blob(data: bytes, media_type: str) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": put(data), "size": len(data)}

    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": blob(image.config_json, "application/vnd.oci.image.config.v1+json"),
        "layers": [blob(layer, "application/vnd.oci.image.layer.v1.tar") for layer in image.layers],
    }


@contextmanager
def docker_registry(folder: Path, *, protected: bool = False, tls: bool = False) -> Iterator[DockerRegistry]:
    registry = DockerRegistry(folder, protected=protected, tls=tls)
    try:
        yield registry
    finally:
        registry.close()


def make_certificate(folder: Path) -> Path:
    """`key.pem` and `cert.pem` for 127.0.0.1 and localhost, signed by itself; answers what to trust."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem"
