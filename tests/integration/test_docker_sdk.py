"""docker-py, which half of the tools of our field are made with."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import pytest

from tests.support.image_archive import busybox_layer
from tests.support.service import Service

# docker-py leaves the sockets of attach and exec to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def sdk(service: Service) -> Iterator[Any]:
    client = docker.DockerClient(base_url=service.host, version="auto", timeout=60)
    yield client
    service.remove_containers()
    client.close()
    gc.collect()  # while its warnings are still ignored


def test_run_gives_the_output(sdk: Any) -> None:
    assert sdk.containers.run("busybox", "echo hi", network_mode="none", remove=True) == b"hi\n"


def test_a_failed_run_raises_with_the_code_and_what_it_said(sdk: Any) -> None:
    with pytest.raises(docker.errors.ContainerError) as caught:
        sdk.containers.run("busybox", ["sh", "-c", "echo no >&2; exit 3"], network_mode="none", remove=True)
    assert (caught.value.exit_status, caught.value.stderr) == (3, b"no\n")


def test_a_missing_image_is_its_own_error(sdk: Any) -> None:
    with pytest.raises(docker.errors.ImageNotFound):
        sdk.images.get("nope")
    with pytest.raises(docker.errors.NotFound):
        sdk.containers.get("nope")


def test_a_containers_life(sdk: Any) -> None:
    container = sdk.containers.run("busybox", "sleep 100", name="sdk", network_mode="none", detach=True)
    assert sdk.containers.list() == [container]
    assert container.exec_run("echo hi").output == b"hi\n"
    assert container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True).output == (b"out\n", b"err\n")
    container.stop(timeout=0)
    assert container.wait()["StatusCode"] == 137
    container.reload()
    assert container.status == "exited"
    assert sdk.containers.list(all=True, filters={"name": "sdk", "status": "exited"}) == [container]
    container.remove()
    assert sdk.containers.list(all=True) == []


def test_attach_and_logs_stream(sdk: Any) -> None:
    container = sdk.containers.create("busybox", ["sh", "-c", "echo 1; echo 2"], network_mode="none")
    output = container.attach(stream=True, logs=False)
    container.start()
    assert b"".join(output) == b"1\n2\n"
    assert b"".join(container.logs(stream=True, follow=True)) == b"1\n2\n"


def test_output_that_is_there_at_an_attach_is_not_lost_with_the_head(sdk: Any) -> None:
    container = sdk.containers.run("busybox", ["sh", "-c", "echo 1; sleep 100"], network_mode="none", detach=True)
    while not container.logs():
        pass
    for _ in range(10):
        attached = container.attach_socket(params={"logs": 1, "stdout": 1, "stream": 1})
        attached._sock.settimeout(10)
        assert attached._sock.recv(100) == b"\x01\0\0\0\0\0\0\x021\n"
        attached.close()


def test_images_volumes_and_networks(sdk: Any) -> None:
    sdk.api.import_image_from_data(busybox_layer(), repository="made", tag="1")
    image = sdk.images.get("made:1")
    assert image.tags == ["made:1"]
    assert image.tag("made", "2")
    sdk.images.remove("made:1")
    sdk.images.remove("made:2")
    volume = sdk.volumes.create("sdkvol", labels={"a": "b"})
    assert volume in sdk.volumes.list(filters={"label": "a=b"})
    volume.remove()
    assert {network.name for network in sdk.networks.list()} == {"bridge", "host", "none"}
