"""A new volume holds what the image has where it is mounted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.image_archive import Entry, TestImage, busybox_image, docker_archive
from tests.support.service import Service

RUN = ("run", "--rm", "--network", "none")
SHOW = "stat -c '%n %a %u:%g' /data /data/*; cat /data/file"
IN_THE_IMAGE = "/data 750 1000:1000\n/data/file 640 1000:1001\n/data/link 777 0:0\ncontent"


@pytest.fixture(autouse=True)
def cleared(service: Service, docker: Docker) -> Iterator[None]:
    yield
    service.remove_containers()
    volumes = docker.ok("volume", "ls", "-q").split()
    if volumes:
        docker.ok("volume", "rm", *volumes)


def load(service: Service, image: TestImage) -> None:
    status, body = service.request("POST", "/images/load?quiet=1", docker_archive(image))
    assert status == 200, body


@pytest.fixture
def full(service: Service) -> str:
    """An image that has files at the path of its volume."""
    entries = [
        Entry("data/", mode=0o750, uid=1000, gid=1000),
        Entry("data/file", b"content", mode=0o640, uid=1000, gid=1001),
        Entry("data/link", link="/etc/passwd"),
        Entry("way", link="data"),
    ]
    load(service, busybox_image("full:latest", more=entries, Volumes={"/data": {}}))
    return "full"


@pytest.mark.parametrize("options", [(), ("-v", "/data"), ("-v", "db:/data"), ("-v", "db:/data:ro")])
def test_a_new_volume_is_filled_from_the_image(docker: Docker, full: str, options: tuple[str, ...]) -> None:
    assert docker.ok(*RUN, *options, full, "sh", "-c", SHOW) == IN_THE_IMAGE


def test_a_volume_that_was_made_before_is_filled_as_well(docker: Docker, full: str) -> None:
    docker.ok("volume", "create", "db")
    assert docker.ok(*RUN, "--mount", "type=volume,source=db,target=/data", full, "sh", "-c", SHOW) == IN_THE_IMAGE


def test_where_the_image_has_nothing_it_is_roots(docker: Docker) -> None:
    assert docker.ok(*RUN, "-u", "1000", "-v", "db:/new", "busybox", "stat", "-c", "%u %a", "/new") == "0 755"


def test_what_a_container_takes_out_does_not_come_back(docker: Docker, full: str) -> None:
    docker.ok(*RUN, "-v", "db:/data", full, "sh", "-c", "rm /data/*; chmod 700 /data")
    shown = "stat -c %a /data; ls /data"
    assert docker.ok(*RUN, "-v", "db:/data", full, "sh", "-c", shown) == "700"


def test_a_volume_stays_new_while_the_images_have_nothing_there(docker: Docker, full: str) -> None:
    for target in ("/nothing", "/var"):
        docker.ok(*RUN, "-v", f"db:{target}", "busybox", "true")
    docker.ok(*RUN, "-v", "db:/nothing", "busybox", "sh", "-c", "touch /nothing/x; rm /nothing/x")
    assert docker.ok(*RUN, "-v", "db:/data", full, "sh", "-c", SHOW) == IN_THE_IMAGE


def test_what_is_in_a_volume_stays_as_it_is(docker: Docker, full: str) -> None:
    docker.ok(*RUN, "-v", "db:/x", "busybox", "sh", "-c", "echo mine > /x/file")
    assert docker.ok(*RUN, "-v", "db:/data", full, "sh", "-c", "ls /data; cat /data/file") == "file\nmine"


@pytest.mark.parametrize(
    "mount", [("-v", "db:/data:nocopy"), ("--mount", "type=volume,src=db,dst=/data,volume-nocopy")]
)
def test_nothing_is_copied_where_the_client_says_so(docker: Docker, full: str, mount: tuple[str, str]) -> None:
    shown = "stat -c '%a %u' /data; ls /data"
    assert docker.ok(*RUN, *mount, full, "sh", "-c", shown) == "755 0"
    assert docker.ok(*RUN, "-v", "db:/data", full, "sh", "-c", SHOW) == IN_THE_IMAGE, "it is still new"


def test_a_path_that_is_a_link_in_the_image_is_followed_in_there(docker: Docker, full: str) -> None:
    assert docker.ok(*RUN, "-v", "db:/way", full, "cat", "/way/file") == "content"


def test_a_link_of_the_image_to_the_host_copies_nothing(service: Service, docker: Docker, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    links = [Entry("data", link=str(outside)), Entry("up", link=f"../../../../../../../../../..{outside}")]
    load(service, busybox_image("trap:latest", more=links))
    for target in ("/data", "/up"):
        assert docker.ok(*RUN, "-v", target, "trap", "ls", f"{target}/") == ""
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_kill_in_the_middle_leaves_no_half_of_it(service: Service, docker: Docker) -> None:
    many = [Entry("data/", mode=0o755), *(Entry(f"data/{number}", b"x" * 3000) for number in range(6000))]
    load(service, busybox_image("many:latest", more=many))
    docker.ok("volume", "create", "db")
    volume = Path(docker.ok("volume", "inspect", "-f", "{{.Mountpoint}}", "db")).parent
    with docker.start(*RUN, "-v", "db:/data", "many", "true"):
        deadline = time.monotonic() + 30
        while not (volume / "filling" / "tree" / "100").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        service.kill()
    assert (volume / "filling").exists(), "it was killed too late to tell"
    assert list((volume / "_data").iterdir()) == []
    service.start()
    assert not (volume / "filling").exists()
    assert docker.ok(*RUN, "-v", "db:/data", "many", "sh", "-c", "ls /data | wc -l; cat /data/* | wc -c") == (
        "6000\n18000000"
    )
