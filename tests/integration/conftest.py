"""A service, clients for it, and no leftovers: what integration tests ask for by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.web.client import URI, Agent
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from tests.support import leftovers
from tests.support.docker import Docker
from tests.support.image_archive import busybox_image, docker_archive
from tests.support.leftovers import Left
from tests.support.podman import Podman
from tests.support.service import FOLDERS, Service


@implementer(IAgentEndpointFactory)
class UnixEndpointFactory:
    """Every URI leads to one unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def endpointForURI(self, uri: URI) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(reactor, str(self._path), timeout=30)


def client_for(path: Path) -> HTTPClient:
    """A treq client; `http://d/…` goes to the socket. One connection for each request."""
    return HTTPClient(Agent.usingEndpointFactory(reactor, UnixEndpointFactory(path)))


def load_busybox(service: Service) -> None:
    """Make `busybox` known to a service, from this machine's own static one."""
    status, body = service.request("POST", "/images/load?quiet=1", docker_archive(busybox_image("busybox:latest")))
    assert status == 200, body


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """At the end of all, no process, mount, namespace, interface, rule or empty cgroup that was not there before.

    Cgroups alone are not our own: other runs' come and go, so they count only where CI has the machine to itself.
    """

    def look() -> set[Left]:
        return leftovers.everything(FOLDERS) | (leftovers.empty_cgroups() if "CI" in os.environ else set())

    before = look()
    yield
    left = leftovers.settled(look, before)
    assert not left, "left behind: " + "; ".join(sorted(map(str, left)))


@pytest.fixture
def make_service() -> Iterator[Callable[..., Service]]:
    """Takes the arguments of Service and starts nothing; all are closed, and checked for leftovers, at the end."""
    made: list[Service] = []

    def make(*options: str, **arguments: Any) -> Service:
        made.append(Service(*options, **arguments))
        return made[-1]

    yield make
    with ExitStack() as stack:
        for each in made:
            stack.callback(each.close)


def ready(service: Service) -> Service:
    try:
        service.start()
        load_busybox(service)
    except BaseException:
        service.discard()
        raise
    return service


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One for all tests of a module, with the image `busybox`; tests remove what they make in it."""
    shared = ready(Service("--idle-timeout", "0"))
    yield shared
    shared.close()


@pytest.fixture
def fresh_service() -> Iterator[Service]:
    """One for this test alone, with the image `busybox`; it may be killed and started again."""
    own = ready(Service("--idle-timeout", "0"))
    yield own
    own.close()


@pytest.fixture
def docker_for(tmp_path: Path) -> Callable[[Service], Docker]:
    """The docker CLI for a service."""
    config = tmp_path / "docker"
    config.mkdir()
    return lambda service: Docker(service.host, config)


@pytest.fixture
def docker(service: Service, docker_for: Callable[[Service], Docker]) -> Docker:
    """The docker CLI for the module's service."""
    return docker_for(service)


@pytest.fixture
def podman(service: Service, tmp_path: Path) -> Podman:
    """The podman CLI for the module's service."""
    home = tmp_path / "podman"
    home.mkdir()
    return Podman(service.host, home)


@pytest.fixture
def client(service: Service) -> HTTPClient:
    """A treq client for the module's service; URLs are `http://d/…`."""
    return client_for(service.socket)
