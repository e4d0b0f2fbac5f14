"""Debian's docker-registry on a server's own loopback, with the image that is pulled."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.image_archive import Entry, TestImage, busybox_layer, docker_archive, layer

PORT = 5000
HOST = f"127.0.0.1:{PORT}"
REPOSITORY = "bench/big"
PULLED = f"{HOST}/{REPOSITORY}:latest"
LOADED = "docker.io/bench/loaded:latest"

_PROGRAM = shutil.which("docker-registry") or str(Path(sys.executable).with_name("docker-registry"))
_MEDIA = "application/vnd.oci.image."
_LAYERS = 3
_BLOCK = 64 * 1024
_START_SECONDS = 20


class BigImage:
    """An image of `size_bytes` in three layers that shrink to about half by gzip, as most do."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self._data = folder / "registry"
        self.archive = folder / "loaded.tar"
        layers = [busybox_layer(), *(_half_random(number, size_bytes // _LAYERS) for number in range(_LAYERS))]
        image = TestImage(tuple(layers), (LOADED,), {"Cmd": ["sh"]})
        self.archive.write_bytes(docker_archive(image))
        with _serving([], self._data):
            self._push(image)

    def _push(self, image: TestImage) -> None:
        zipped = [gzip.compress(tar, 1, mtime=0) for tar in image.layers]
        media_type = _MEDIA + "manifest.v1+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": _blob(image.config_json, _MEDIA + "config.v1+json"),
            "layers": [_blob(data, _MEDIA + "layer.v1.tar+gzip") for data in zipped],
        }
        for data in (image.config_json, *zipped):
            _, headers = _request("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
            place = headers["location"].split(HOST, 1)[-1]
            mark = "&" if "?" in place else "?"
            _request("PUT", f"{place}{mark}digest={_digest(data)}", data)
        text = json.dumps(manifest).encode()
        _request("PUT", f"/v2/{REPOSITORY}/manifests/latest", text, media_type)

    @contextmanager
    def served(self, entering: list[str]) -> Iterator[None]:
        """A registry with it, for a server whose network `entering` enters."""
        with _serving(entering, self._data):
            yield


def _half_random(number: int, size_bytes: int) -> bytes:
    source = random.Random(number)
    blocks = (source.randbytes(_BLOCK) + bytes(_BLOCK) for _ in range(size_bytes // (2 * _BLOCK)))
    return layer([Entry(f"big-{number}", b"".join(blocks))])


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _blob(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


@contextmanager
def _serving(entering: list[str], data: Path) -> Iterator[None]:
    config = data.with_suffix(".json")
    config.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "error", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(data)}},
                "http": {"addr": HOST, "secret": "of-the-benchmark"},
            }
        )
    )
    process = subprocess.Popen([*entering, _PROGRAM, "serve", str(config)], stdin=subprocess.DEVNULL)
    try:
        _wait(entering)
        yield
    finally:
        process.kill()
        process.wait()


def _wait(entering: list[str]) -> None:
    """Until somebody listens there; asked from inside, since its loopback is its own."""
    ask = f"import socket; socket.create_connection(('127.0.0.1', {PORT}))"
    for _ in range(_START_SECONDS * 10):
        if subprocess.run([*entering, sys.executable, "-c", ask], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("the registry does not serve")


def _request(
    method: str, path: str, body: bytes | None = None, media_type: str = "application/octet-stream"
) -> tuple[bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    try:
        connection.request(method, path, body, {} if body is None else {"Content-Type": media_type})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return text, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
