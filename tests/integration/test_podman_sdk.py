"""podman-py, the library of Podman's own Python clients."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import Any

import podman
import podman.errors
import pytest

from tests.support.image_archive import busybox_image, docker_archive
from tests.support.outside import until
from tests.support.service import Service

# podman-py leaves the connections of streams to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ALL_OUTPUT = {"Type": "json-file"}
"""What `run` reads is printed by: with any other log driver the library returns nothing."""


@pytest.fixture
def sdk(service: Service) -> Iterator[Any]:
    client: Any = podman.PodmanClient(base_url=f"unix://{service.socket}", timeout=60)
    yield client
    service.remove_containers()
    client.close()
    gc.collect()  # while its warnings are still ignored


def create(sdk: Any, *command: str, **options: Any) -> Any:
    return sdk.containers.create("busybox", list(command), network_mode="none", **options)


def test_the_service_says_what_it_is(sdk: Any) -> None:
    assert sdk.ping()
    assert sdk.version()["ApiVersion"]
    assert sdk.info()["host"]["arch"] == "amd64"


def test_run_gives_the_output(sdk: Any) -> None:
    said = sdk.containers.run("busybox", ["echo", "hi"], network_mode="none", remove=True, log_config=ALL_OUTPUT)
    assert said == b"hi\n"
    assert sdk.containers.list(all=True) == []


def test_a_failed_run_raises_with_the_code_and_what_it_said(sdk: Any) -> None:
    with pytest.raises(podman.errors.ContainerError) as caught:
        sdk.containers.run("busybox", ["sh", "-c", "echo no >&2; exit 3"], network_mode="none")
    assert (caught.value.exit_status, list(caught.value.stderr or ())) == (3, [b"no\n"])


def test_what_is_missing_is_its_own_error(sdk: Any) -> None:
    with pytest.raises(podman.errors.ImageNotFound):
        sdk.images.get("nope")
    with pytest.raises(podman.errors.ImageNotFound):
        sdk.containers.create("nope", ["true"])
    with pytest.raises(podman.errors.NotFound):
        sdk.containers.get("nope")
    assert not sdk.containers.exists("nope")
    assert not sdk.images.exists("nope")


def test_a_containers_life(sdk: Any) -> None:
    container = create(sdk, "sleep", "100", name="sdk", labels={"a": "b"}, environment={"A": "1"})
    assert container.status == "created"
    container.start()
    container.reload()
    assert container.status == "running"
    assert [each.name for each in sdk.containers.list(filters={"label": "a=b"})] == ["sdk"]
    assert container.exec_run(["sh", "-c", "echo $A"])[1].endswith(b"1\n")
    assert container.exec_run(["false"])[0] == 1
    assert container.inspect()["Config"]["Cmd"] == ["sleep", "100"]
    container.rename("other")
    assert sdk.containers.exists("other")
    container.stop(timeout=0)
    assert container.wait() == 137
    container.reload()
    assert container.status == "exited"
    container.remove()
    assert not sdk.containers.exists("other")


def test_a_killed_container_says_by_what(sdk: Any) -> None:
    container = create(sdk, "sh", "-c", "echo started; exec sleep 100", init=True)
    container.start()
    # Before the runtime has run the init, a SIGTERM ends the runtime's own first program, or nothing.
    until(lambda: list(container.logs()), "the container's program runs")
    container.kill("TERM")
    assert container.wait(condition="exited") == 143
    container.remove()


def test_a_restarted_container_runs_anew(sdk: Any) -> None:
    container = create(sdk, "sleep", "100")
    container.start()
    first = container.inspect()["State"]["Pid"]
    container.restart(timeout=0)
    state = container.inspect()["State"]
    assert state["Running"]
    assert state["Pid"] != first


def test_logs_have_both_streams_or_one_and_can_be_followed(sdk: Any) -> None:
    container = create(sdk, "sh", "-c", "echo out; echo err >&2; sleep 0.3; echo late")
    container.start()
    assert sorted(container.logs(stream=True, follow=True)) == [b"err\n", b"late\n", b"out\n"]
    assert b"".join(container.logs(stderr=False)) == b"out\nlate\n"
    assert b"".join(container.logs(tail=1)) == b"late\n"


def test_options_reach_the_container(sdk: Any, service: Service) -> None:
    said = sdk.containers.run(
        "busybox",
        ["sh", "-c", "id -u; pwd; hostname; cat /v/f; ulimit -n; df -k /dev/shm | tail -1 | awk '{print $2}'; umask"],
        network_mode="none",
        log_config=ALL_OUTPUT,
        user="12",
        working_dir="/tmp",
        hostname="here",
        umask="0077",
        shm_size="8m",
        mem_limit="64m",
        ulimits=[{"Name": "nofile", "Soft": 33, "Hard": 44}],
        entrypoint=[],
        volumes={"sdkvol": {"bind": "/v", "mode": "rw"}},
        devices=["/dev/null:/dev/mine"],
    )
    assert said == b"12\n/tmp\nhere\n33\n8192\n0077\n"


def test_images_are_loaded_tagged_listed_and_removed(sdk: Any) -> None:
    (loaded,) = sdk.images.load(docker_archive(busybox_image("localhost/sdk:1", Labels={"x": "y"})))
    assert loaded.tags == ["localhost/sdk:1"]
    assert sdk.images.exists("localhost/sdk:1")
    assert loaded.tag("localhost/sdk", "2")
    assert sorted(sdk.images.get("localhost/sdk:2").tags) == ["localhost/sdk:1", "localhost/sdk:2"]
    assert loaded.id in [image.id for image in sdk.images.list(filters={"label": "x=y"})]
    assert len(loaded.history()) == 1
    reports = sdk.images.remove("localhost/sdk:1")
    assert {"Untagged": "localhost/sdk:1"} in reports
    sdk.images.remove("localhost/sdk:2")
    assert not sdk.images.exists(loaded.id)


def test_volumes_and_networks(sdk: Any) -> None:
    volume = sdk.volumes.create("sdkdata", labels={"a": "b"})
    assert sdk.volumes.exists("sdkdata")
    assert [each.name for each in sdk.volumes.list(filters={"label": "a=b"})] == ["sdkdata"]
    assert sdk.volumes.get("sdkdata").attrs["Labels"] == {"a": "b"}
    volume.remove()
    assert not sdk.volumes.exists("sdkdata")
    assert "podman" in {network.name for network in sdk.networks.list()}
    assert sdk.networks.get("podman").attrs["driver"] == "bridge"
    assert sdk.networks.exists("podman")


def test_events_are_told_in_order(sdk: Any) -> None:
    since = int(time.time())
    container = create(sdk, "true", name="told")
    container.start()
    container.wait()
    container.remove()
    actions = []
    for event in sdk.events(since=since, filters={"container": "told"}, decode=True):
        actions.append(event["Action"])
        if actions[-1] == "remove":
            break
    assert [action for action in actions if action in ("create", "start", "died")] == ["create", "start", "died"]
