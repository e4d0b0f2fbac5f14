"""The docker and podman commands save images, and load them again."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker as docker_py
import pytest

from benchmarks.memory import growth
from tests.support.docker import Docker
from tests.support.image_archive import Entry, TestImage, busybox_layer, docker_archive, layer
from tests.support.outside import until
from tests.support.podman import Podman
from tests.support.service import Service, UnixConnection

MIB = 1024 * 1024
MOST = 30_000_000  # bytes that the service's memory may grow by
BASE = busybox_layer()
A = TestImage((BASE, layer([Entry("a", b"a")])), ("a:1", "a:2"), {"Cmd": ["cat", "/a"], "Labels": {"x": "y"}})
B = TestImage((BASE, layer([Entry("b", b"b")])), ("quay.io/some/b:1",), {"Cmd": ["cat", "/b"]})


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """With the images a, in two tags, and b, which share a layer."""
    shared = Service("--idle-timeout", "0")
    shared.start()
    assert shared.request("POST", "/images/load?quiet=1", docker_archive(A, B))[0] == 200
    yield shared
    nothing_left(shared)
    shared.close()


@pytest.fixture
def other(make_service: Callable[..., Service]) -> Service:
    """An empty one."""
    made = make_service("--idle-timeout", "0")
    made.start()
    return made


def nothing_left(service: Service) -> None:
    assert list((service.root / "tmp").iterdir()) == []
    assert skopeos(service) == []


def skopeos(service: Service) -> list[int]:
    """Those that work on this service's store."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"skopeo" in b" ".join(words[:6]) and str(service.root).encode() in b" ".join(words):
            found.append(int(path.parent.name))
    return found


def images(service: Service) -> dict[str, list[str]]:
    """Names by id."""
    listed: list[dict[str, Any]] = json.loads(service.request("GET", "/images/json")[1])
    return {each["Id"].removeprefix("sha256:"): sorted(each["RepoTags"]) for each in listed}


def history(service: Service) -> object:
    return json.loads(service.request("GET", "/images/a:1/history")[1])


def members(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return tar.getnames()


def test_docker_saves_into_a_pipe_and_another_service_loads_the_same_images(
    service: Service, docker: Docker, other: Service, docker_for: Callable[[Service], Docker]
) -> None:
    saving = docker.start("save", "a", "quay.io/some/b:1")
    assert saving.stdout is not None
    there = docker_for(other)
    loaded = subprocess.run(
        ["docker", "load"], stdin=saving.stdout, capture_output=True, env=there.environment, timeout=60, check=False
    )
    _, complaints = saving.communicate(timeout=60)
    assert (saving.returncode, complaints, loaded.returncode) == (0, b"", 0), loaded
    assert images(other) == images(service) == {A.id: ["a:1", "a:2"], B.id: ["quay.io/some/b:1"]}
    assert there.ok("run", "--rm", "--network", "none", "a:2") == "a"
    shown = ("history", "--no-trunc", "--human=false", "a:1")
    assert there.ok(*shown) == docker.ok(*shown) != ""
    assert history(other) == history(service)


def test_a_layer_that_images_share_is_sent_once(docker: Docker) -> None:
    archive = docker.binary("save", "a:1", "quay.io/some/b:1").stdout
    found = members(archive)
    assert len(found) == len(set(found))
    assert sorted(name.partition(".")[2] for name in found) == ["json", "json", "json", "tar", "tar", "tar"]
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        first, second = json.load(manifest)
    assert (first["RepoTags"], second["RepoTags"]) == (["a:1"], ["quay.io/some/b:1"])
    assert (first["Config"], first["Layers"][0]) == (f"{A.id}.json", second["Layers"][0])


def test_docker_saves_into_a_file_what_it_names_by_id(docker: Docker, other: Service, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    docker.ok("save", "-o", str(archive), A.id[:12])
    status, said = other.request("POST", "/images/load", archive.read_bytes())
    assert (status, images(other)) == (200, {A.id: []}), said


def test_docker_py_saves_with_a_name(service: Service, other: Service) -> None:
    client = docker_py.DockerClient(base_url=service.host, version="auto", timeout=60)
    try:
        archive = b"".join(client.images.get("a:2").save(named="a:2"))
    finally:
        client.close()
    assert other.request("POST", "/images/load", archive)[0] == 200
    assert images(other) == {A.id: ["a:2"]}


@pytest.fixture
def podman_there(other: Service, tmp_path: Path) -> Podman:
    home = tmp_path / "there"
    home.mkdir()
    return Podman(other.host, home)


def test_podman_saves_several_images_and_loads_them(
    service: Service, podman: Podman, other: Service, podman_there: Podman, tmp_path: Path
) -> None:
    archive = tmp_path / "both.tar"
    podman.ok("save", "-m", "-o", str(archive), "a:1", "quay.io/some/b:1")
    said = podman_there.ok("load", "-i", str(archive))
    assert "docker.io/library/a:1" in said
    assert images(other) == {A.id: ["a:1"], B.id: ["quay.io/some/b:1"]}
    shown = ("history", "--no-trunc", "--format", "{{.CreatedBy}} {{.Size}} {{.Comment}}", "a:1")
    assert podman_there.ok(*shown) == podman.ok(*shown) != ""


@pytest.mark.parametrize("options", [(), ("--uncompressed",)], ids=["compressed", "uncompressed"])
def test_podman_saves_and_loads_an_oci_archive(
    service: Service,
    podman: Podman,
    other: Service,
    podman_there: Podman,
    docker: Docker,
    docker_for: Callable[[Service], Docker],
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    archive = tmp_path / "a.tar"
    podman.ok("save", "--format", "oci-archive", *options, "-o", str(archive), "a:2")
    assert first_layer(archive.read_bytes()).startswith(b"\x1f\x8b") == (not options)
    podman_there.ok("load", "-i", str(archive))
    assert list(images(other).values()) == [["a:2"]]
    shown = ("history", "--no-trunc", "--human=false", "--format", "{{.CreatedBy}} {{.Size}} {{.CreatedAt}}")
    assert docker_for(other).ok(*shown, "a:2") == docker.ok(*shown, "a:2") != ""
    assert podman_there.ok("run", "--rm", "--network", "none", "a:2") == "a"


def first_layer(archive: bytes) -> bytes:
    """Of an OCI archive's only image, which is a:2."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:

        def blob(name: str) -> bytes:
            content = tar.extractfile(name.replace("sha256:", "blobs/sha256/"))
            assert content is not None
            return content.read()

        (entry,) = json.loads(blob("index.json"))["manifests"]
        assert entry["annotations"]["org.opencontainers.image.ref.name"] == "docker.io/library/a:2"
        return blob(json.loads(blob(entry["digest"]))["layers"][0]["digest"])


@pytest.mark.parametrize("options", [(), ("--compress",)], ids=["as they are", "compressed"])
def test_podman_saves_a_directory_in_dockers_format(podman: Podman, tmp_path: Path, options: tuple[str, ...]) -> None:
    target = tmp_path / "d"
    podman.ok("save", "--format", "docker-dir", *options, "-o", str(target), "a:1")
    manifest = json.loads((target / "manifest.json").read_bytes())
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    for each in (manifest["config"], *manifest["layers"]):
        assert (target / each["digest"].removeprefix("sha256:")).stat().st_size == each["size"]
    first = (target / manifest["layers"][0]["digest"].removeprefix("sha256:")).read_bytes()
    assert first.startswith(b"\x1f\x8b") == bool(options)


def test_podman_saves_a_directory_in_ocis_format(podman: Podman, tmp_path: Path) -> None:
    target = tmp_path / "d"
    podman.ok("save", "--format", "oci-dir", "-o", str(target), "a:1")
    assert sorted(os.listdir(target)) == ["blobs", "index.json", "oci-layout"]
    inspected = subprocess.run(
        ["skopeo", "inspect", "--config", f"oci:{target}:docker.io/library/a:1"], capture_output=True, check=True
    )
    assert json.loads(inspected.stdout)["config"]["Cmd"] == ["cat", "/a"]


def test_what_is_not_here_is_an_error_in_both_commands(docker: Docker, podman: Podman, tmp_path: Path) -> None:
    said = docker("save", "-o", str(tmp_path / "no"), "nope:1")
    assert (said.code, "No such image: nope:1" in said.stderr, (tmp_path / "no").exists()) == (1, True, False)
    said = podman("save", "-o", str(tmp_path / "no"), "nope:1")
    assert (said.code, "image not known" in said.stderr) == (125, True)


def test_an_image_whose_layer_is_gone_is_an_error_before_the_head(fresh_service: Service) -> None:
    (image,) = json.loads((fresh_service.root / "storage/overlay-images/images.json").read_bytes())
    folder = fresh_service.root / "storage/overlay" / image["layer"]
    folder.rename(folder.with_name("aside"))
    status, body = fresh_service.request("GET", "/images/busybox/get")
    folder.with_name("aside").rename(folder)
    assert (status, b"image removed underneath" in body) == (409, True)
    assert fresh_service.request("GET", "/images/busybox/get")[0] == 200


@pytest.mark.parametrize("format_", ["docker-archive", "oci-archive"])
def test_what_there_is_no_room_for_is_refused_before_the_head(service: Service, format_: str) -> None:
    tmp = service.root / "tmp"
    # 64 MiB of it are kept for the state; the larger layer has 2.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=65m", "tmpfs", str(tmp)], check=True)
    try:
        status, body = service.request("GET", f"/v5.0.0/libpod/images/a:1/get?format={format_}")
    finally:
        subprocess.run(["umount", str(tmp)], check=True)
    assert (status, b"no space left on device" in body) == (500, True), body
    nothing_left(service)


# --- large ones ---


@pytest.fixture(scope="module")
def large() -> Iterator[Service]:
    """With the image `large`: 200 MiB that do not compress, in two layers."""
    own = Service("--idle-timeout", "0")
    own.start()
    layers = tuple(layer([Entry(f"big{number}", os.urandom(100 * MIB))]) for number in range(2))
    archive = docker_archive(TestImage(layers, ("large:1",)))
    assert own.request("POST", "/images/load?quiet=1", archive, timeout=120)[0] == 200
    yield own
    own.close()


ONE = "/v5.0.0/libpod/images/large:1/get?format="
PATHS = [f"{ONE}docker-archive", f"{ONE}oci-archive", f"{ONE}docker-dir"]


@pytest.mark.long
@pytest.mark.parametrize("path", PATHS)
def test_the_service_does_not_grow_with_what_it_saves(large: Service, path: str) -> None:
    assert read_all(large, "/images/get?names=nope") == 404
    with growth(large.pid) as grown:
        assert read_all(large, path) > 200 * MIB
    assert grown.bytes < MOST
    nothing_left(large)


def read_all(service: Service, path: str) -> int:
    """How many bytes came, or the status of an error."""
    connection = UnixConnection(service.socket, 110)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            return answer.status
        size = 0
        while piece := answer.read(MIB):
            size += len(piece)
        return size
    finally:
        connection.close()


def asked(service: Service, path: str) -> socket.socket:
    """A client that has asked and reads nothing yet."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(str(service.socket))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
    return client


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_leaves_before_the_first_byte_leaves_nothing(large: Service, path: str) -> None:
    with asked(large, path):
        until(lambda: skopeos(large), "skopeo works")
    until(lambda: not skopeos(large), "skopeo has ended")
    until(lambda: not list((large.root / "tmp").iterdir()), "its files are removed")
    assert " 500 " not in large.log()


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_leaves_in_the_middle_leaves_nothing_and_holds_nobody_up(large: Service, path: str) -> None:
    with asked(large, path) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        with growth(large.pid) as grown:
            time.sleep(1)  # nothing is read meanwhile
            assert large.request("POST", "/images/large:1/tag?repo=more", timeout=20)[0] == 201
            assert large.request("DELETE", "/images/more", timeout=20)[0] == 200
        assert grown.bytes < MOST
        assert bool(skopeos(large)) == (path == PATHS[0])  # the others are sent once skopeo has made them
    until(lambda: not skopeos(large), "skopeo has ended")
    until(lambda: not list((large.root / "tmp").iterdir()), "its files are removed")


@pytest.mark.parametrize("command", ["docker", "podman"])
def test_a_save_that_breaks_off_in_the_middle_is_an_error_to_the_command(
    large: Service, docker_for: Callable[[Service], Docker], tmp_path: Path, command: str
) -> None:
    (tmp_path / "podman").mkdir()
    podman = Podman(large.host, tmp_path / "podman")
    saving = docker_for(large).start("save", "large:1") if command == "docker" else podman.start("save", "large:1")
    with saving as client:
        assert client.stdout is not None
        assert len(client.stdout.read(MIB)) == MIB
        (working,) = skopeos(large)
        os.kill(working, signal.SIGKILL)
        _, said = client.communicate(timeout=60)
    assert (client.returncode != 0, said != b"") == (True, True)
    until(lambda: not list((large.root / "tmp").iterdir()), "its files are removed")
    assert large.request("GET", "/_ping")[0] == 200


def test_a_save_that_breaks_off_before_the_head_has_the_status_of_an_error(large: Service) -> None:
    with asked(large, PATHS[1]) as client:
        until(lambda: skopeos(large), "skopeo works")
        os.kill(skopeos(large)[0], signal.SIGKILL)
        assert client.recv(100).startswith(b"HTTP/1.1 500 ")
    assert large.request("GET", "/_ping")[0] == 200
    nothing_left(large)


def test_a_load_whose_skopeo_is_killed_is_an_error_and_leaves_nothing(large: Service) -> None:
    archive = docker_archive(TestImage((layer([Entry("big", os.urandom(100 * MIB))]),), ("cut:1",)))
    before = images(large)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(large.socket))
        client.sendall(b"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: %d\r\n\r\n" % len(archive))
        client.sendall(archive)
        until(lambda: skopeos(large), "skopeo works")
        os.kill(skopeos(large)[0], signal.SIGKILL)
        assert client.recv(100).startswith(b"HTTP/1.1 500 ")
    assert images(large) == before
    nothing_left(large)


def test_a_service_that_is_killed_in_the_middle_takes_skopeo_along_and_its_files_go(large: Service) -> None:
    with asked(large, PATHS[0]) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        large.kill()
        until(lambda: not skopeos(large), "skopeo has ended")
    large.start()
    nothing_left(large)
    assert read_all(large, PATHS[0]) > 200 * MIB
