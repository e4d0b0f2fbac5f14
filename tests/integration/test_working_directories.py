"""Where a container's first process starts: made by us in its root, and by the runtime in what is mounted there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.image_archive import Entry, TestImage, busybox_layer, docker_archive
from tests.support.podman import Podman
from tests.support.service import Service

RUN = ("run", "--rm", "--network", "none")


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A directory of the host in which links say where they lead in a container."""
    place = tmp_path / "app"
    (place / "releases/1").mkdir(parents=True)
    (place / "current").symlink_to("/app/releases/1")
    (place / "next").symlink_to("releases/2")
    (place / "beside").symlink_to("/srv/beside")
    (place / "file").write_text("")
    return place


def tree(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def load(service: Service, *entries: Entry, name: str = "localhost/works:latest", **config: object) -> None:
    archive = docker_archive(TestImage((busybox_layer(*entries),), (name,), {"Env": ["PATH=/bin"], **config}))
    assert service.request("POST", "/images/load?quiet=1", archive)[0] == 200


@pytest.mark.parametrize("directory", ["/app/made/by/engine", "/app/next", "/app/next/deep"])
def test_nothing_is_made_in_a_read_only_bind_or_volume(
    service: Service, docker: Docker, podman: Podman, app: Path, directory: str
) -> None:
    load(service, WorkingDir=directory)
    before = tree(app)
    docker.ok(*RUN, "-v", "volume:/app", "busybox", "true")
    for source in (str(app), "volume"):
        for options in (("-w", directory, "busybox"), ("localhost/works",)):
            said = docker(*RUN, "-v", f"{source}:/app:ro", *options, "true")
            assert (said.code, "read-only file system" in said.stderr) == (125, True), said
        assert podman(*RUN, "-v", f"{source}:/app:ro", "-w", directory, "busybox", "true").code != 0
    assert tree(app) == before
    assert docker.ok(*RUN, "-v", "volume:/app", "busybox", "ls", "/app") == ""
    docker.ok("volume", "rm", "volume")


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_link_in_a_bind_leads_where_it_does_in_the_container(
    docker: Docker, podman: Podman, app: Path, mode: str
) -> None:
    before = tree(app)
    for client in (docker, podman):
        said = client.ok(*RUN, "-v", f"{app}:/app:{mode}", "-w", "/app/current", "busybox", "pwd", "-P")
        assert said == "/app/releases/1"
        assert tree(app) == before


@pytest.mark.parametrize(
    ("directory", "found"),
    [
        ("/app/made/deep", "/app/made/deep"),
        ("/app/beside/made", "/srv/beside/made"),
        ("/links/in/made", "/app/made"),
        ("/links/root/srv/made", "/srv/made"),
        ("/links/tmp/made", "/t/made"),
        ("/t/made/deep", "/t/made/deep"),
        ("/dev/shm/made", "/dev/shm/made"),
        ("/links/in", "/app"),
        ("/sys/class", "/sys/class"),
        ("/proc", "/proc"),
    ],
)
def test_one_that_is_missing_is_made_where_links_lead(
    service: Service, docker: Docker, app: Path, directory: str, found: str
) -> None:
    links = [Entry("links/in", link="/app"), Entry("links/root", link="../.."), Entry("links/tmp", link="/t")]
    load(service, Entry("srv/beside/", mode=0o755), *links, WorkingDir=directory)
    for options in (("-w", directory), ()):
        options = (*options, "-v", f"{app}:/app", "--tmpfs", "/t")
        assert docker.ok(*RUN, *options, "localhost/works", "pwd", "-P") == found
    if found.startswith("/app/"):
        assert (app / found.removeprefix("/app/")).is_dir()


def test_a_podman_client_may_ask_for_one_that_the_runtime_makes_in_a_bind(podman: Podman, app: Path) -> None:
    """Podman looks for it in the container's root alone."""
    assert podman.ok(*RUN, "-v", f"{app}:/app", "-w", "/app/made/deep", "busybox", "pwd") == "/app/made/deep"
    assert (app / "made/deep").is_dir()
    assert podman.ok(*RUN, "--tmpfs", "/t", "-w", "/t/made", "busybox", "pwd") == "/t/made"
    refused = podman(*RUN, "-v", f"{app}:/app", "-w", "/apps/made", "busybox", "true")
    assert 'workdir "/apps/made" does not exist on container' in refused.stderr


def test_a_file_in_a_bind_is_none(docker: Docker, app: Path) -> None:
    for directory in ("/app/file", "/app/file/made"):
        said = docker(*RUN, "-v", f"{app}:/app", "-w", directory, "busybox", "true")
        assert (said.code in (125, 126, 127), "not a directory" in said.stderr.lower()) == (True, True), said
