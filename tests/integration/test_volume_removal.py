"""A volume is there with all its files, or not at all, whenever its removal is cut off."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.outside import dead, until
from tests.support.service import Service

MANY = 40_000


@pytest.fixture(autouse=True)
def cleared(service: Service, docker: Docker) -> Iterator[None]:
    yield
    if volumes := docker.ok("volume", "ls", "-q").split():
        docker.ok("volume", "rm", *volumes)


def aside(service: Service) -> list[Path]:
    return list((service.root / "volumes").glob(".removing-*"))


def files(service: Service, name: str) -> Path:
    return service.root / "volumes" / name / "_data"


def test_a_service_killed_while_it_deletes_a_volume_has_deleted_it(service: Service, docker: Docker) -> None:
    docker.ok("volume", "create", "huge")
    for number in range(MANY):
        (files(service, "huge") / str(number)).touch()

    removal = threading.Thread(target=docker, args=("volume", "rm", "huge"))
    removal.start()
    until(lambda: [place for place in aside(service) if len(list(place.glob("huge*/_data/*"))) < MANY], "it has begun")
    with dead(service):
        removal.join()
        assert aside(service), "it was over: make more files"
    assert docker.ok("volume", "ls", "-q") == ""
    docker.ok("volume", "create", "huge")
    assert list(files(service, "huge").iterdir()) == []
    until(lambda: not aside(service), "the rest is deleted")
    assert files(service, "huge").is_dir()


def test_a_service_killed_before_it_has_forgotten_a_volume_forgets_it_at_its_next_start(
    service: Service, docker: Docker
) -> None:
    docker.ok("volume", "create", "db")
    with dead(service):
        place = service.root / "volumes" / ".removing-0123456789abcdef"
        place.mkdir(mode=0o700)
        files(service, "db").parent.rename(place / "db")
    assert docker.ok("volume", "ls", "-q") == ""
    # Docker's client knows no time but whole seconds.
    status, events = service.request("GET", f"/events?since=1&until={time.time():.9f}")
    told = [event for event in map(json.loads, events.splitlines()) if event["Actor"]["ID"] == "db"]
    assert (status, told[-1]["Action"]) == (200, "destroy")
    until(lambda: not aside(service), "its files are deleted")


def test_a_file_that_cannot_be_deleted_is_left_to_the_next_start(service: Service, docker: Docker) -> None:
    docker.ok("volume", "create", "db")
    point = files(service, "db") / "mount"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], check=True)
    docker.ok("volume", "rm", "db")
    assert docker.ok("volume", "ls", "-q") == ""
    (place,) = aside(service)
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if place.name in line]
    assert mounted
    docker.ok("volume", "create", "db")
    for path in mounted:
        subprocess.run(["umount", path], check=True)
    with dead(service):
        assert aside(service) == [place]
    until(lambda: not aside(service), "it is deleted")
    assert docker.ok("volume", "ls", "-q") == "db"
