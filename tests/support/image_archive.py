"""Images for tests, made on the spot: layers, docker-archives and OCI archives as bytes.

Nothing is fetched. The layer that runs things is Debian's static busybox with its applets as links.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BUSYBOX = Path("/bin/busybox")
CREATED = "2024-05-06T07:08:09.123456789Z"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@dataclass(frozen=True)
class Entry:
    """One member of a layer; `link` makes it a symbolic link, a path that ends in `/` a directory."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    link: str = ""
    uid: int = 0
    gid: int = 0


def layer(entries: Iterable[Entry]) -> bytes:
    """An uncompressed layer tar, the same bytes for the same entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            member = tarfile.TarInfo(entry.path.rstrip("/"))
            member.mode, member.uid, member.gid, member.mtime = entry.mode, entry.uid, entry.gid, 1_700_000_000
            if entry.link:
                member.type, member.linkname = tarfile.SYMTYPE, entry.link
                tar.addfile(member)
            elif entry.path.endswith("/"):
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                member.size = len(entry.data)
                tar.addfile(member, io.BytesIO(entry.data))
    return out.getvalue()


@functools.cache
def _applets() -> tuple[str, ...]:
    listed = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout
    return tuple(name for name in listed.split() if name != "busybox")


def busybox_entries() -> list[Entry]:
    """A small root: busybox and its applets, passwd and group with `root`, `daemon` and `app` (1000), /tmp."""
    passwd = b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\napp:x:1000:1000::/home/app:/bin/sh\n"
    group = b"root:x:0:\ndaemon:x:1:\napp:x:1000:\nextra:x:2000:app\n"
    directories = [
        Entry(f"{name}/", mode=0o755) for name in ("bin", "etc", "home", "proc", "root", "sys", "usr", "var")
    ]
    return [
        *directories,
        Entry("home/app/", mode=0o755, uid=1000, gid=1000),
        Entry("tmp/", mode=0o1777),
        Entry("bin/busybox", BUSYBOX.read_bytes(), mode=0o755),
        *(Entry(f"bin/{name}", link="busybox") for name in _applets()),
        Entry("etc/passwd", passwd),
        Entry("etc/group", group),
    ]


def busybox_layer(*more: Entry) -> bytes:
    return layer([*busybox_entries(), *more])


@dataclass(frozen=True)
class TestImage:
    """An image before it is written into an archive.

    Attributes:
        config: the `config` object of an OCI image: `Cmd`, `Env`, `ExposedPorts`, ...
        top: further keys of the configuration's top level (`author`, `variant`, ...).
    """

    __test__ = False

    layers: tuple[bytes, ...]
    names: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    top: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def config_json(self) -> bytes:
        digests = ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in self.layers]
        value = {
            "created": CREATED,
            "architecture": ARCHITECTURE,
            "os": "linux",
            "config": dict(self.config),
            "rootfs": {"type": "layers", "diff_ids": digests},
            "history": [{"created": CREATED, "created_by": f"layer {n}"} for n in range(len(digests))],
            **self.top,
        }
        return json.dumps(value).encode()

    @property
    def id(self) -> str:
        """What its id becomes in a store that keeps the configuration as it is."""
        return hashlib.sha256(self.config_json).hexdigest()


def busybox_image(*names: str, more: Iterable[Entry] = (), **config: Any) -> TestImage:
    """A runnable image; `config` are keys of the OCI `config` object (`Cmd=["sh"]`)."""
    settings = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"], **config}
    return TestImage((busybox_layer(*more),), names, settings)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    return layer(Entry(path, data) for path, data in files.items())


def docker_archive(*images: TestImage) -> bytes:
    """What `docker save` writes, in the order of the images; one without names is untagged."""
    files: dict[str, bytes] = {}
    manifest = []
    for image in images:
        paths = []
        for tar in image.layers:
            path = f"{hashlib.sha256(tar).hexdigest()}/layer.tar"
            files[path] = tar
            paths.append(path)
        files[f"{image.id}.json"] = image.config_json
        manifest.append({"Config": f"{image.id}.json", "RepoTags": list(image.names) or None, "Layers": paths})
    files["manifest.json"] = json.dumps(manifest).encode()
    return tar_of(files)


def oci_archive(*images: TestImage) -> bytes:
    """An OCI layout as a tar: a name becomes the annotation `org.opencontainers.image.ref.name`."""
    files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def blob(data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        files[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    entries = []
    for image in images:
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob(image.config_json, "application/vnd.oci.image.config.v1+json"),
            "layers": [blob(tar, "application/vnd.oci.image.layer.v1.tar") for tar in image.layers],
        }
        entry = blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
        for name in image.names or ("",):
            entries.append({**entry, "annotations": {"org.opencontainers.image.ref.name": name}} if name else entry)
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    return tar_of(files)
