"""A pull goes to its registry once: the look and the copy share what is found out of it, and the proxy."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from apiserver.config.host.programs import SEARCH_PATH
from apiserver.daemon.engine import Nobody
from apiserver.drivers.process import Programs
from apiserver.drivers.skopeo import RegistryFiles, Skopeo
from apiserver.engine.images.pull import Pulls
from apiserver.engine.names import parse_reference
from apiserver.engine.ports.registry import Credentials, Platform, RegistryAccess
from apiserver.local.images.pulled import PulledFile
from apiserver.local.registries.platforms import host_platform
from apiserver.local.registries.service import LocalRegistry
from tests.integration.test_pull_bad_registry import BadRegistry, nothing_half_pulled
from tests.integration.test_pull_docker import auth, pull
from tests.support.image_archive import busybox_image
from tests.support.image_stores import in_thread, real_store
from tests.support.registry import PASSWORD, USERNAME, DockerRegistry, docker_registry
from tests.support.service import Service, UnixConnection

MakeService = Callable[..., Service]
LIMIT = 30.0


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("protected"), protected=True) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


def with_program(folder: Path, name: str, script: str) -> Programs:
    """Those of this machine, but for one that is this script."""
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Programs(reactor, search_path=[str(program.parent), *SEARCH_PATH])


async def pulled(folder: Path, programs: Programs, files: RegistryFiles, name: str, access: RegistryAccess) -> str:
    """The id of the image that comes by one pull."""

    async def told(*_: object) -> None: ...

    async def told_failed(reference: str, why: str) -> None: ...

    async with real_store(folder / "store", programs) as real:
        skopeo, notes = Skopeo(programs, real.address), PulledFile(folder / "pulled.json")
        registry = LocalRegistry(
            *(skopeo, programs, files, real.reader, real.store, notes, real.spool, in_thread, reactor),
            *(host_platform(), real.copies),
        )
        pulls = Pulls(registry, real.store, told, told_failed, Nobody())
        pull = pulls.join(parse_reference(name), access, Platform())
        await pull.found()
        while await pull.progress() is not None:
            pass
        pull.leave()
        return pull.pulled.image_id


@pytest_twisted.ensureDeferred
async def test_a_credential_helper_of_the_host_is_asked_once_for_a_pull(
    protected: DockerRegistry, tmp_path: Path
) -> None:
    asked, conf = tmp_path / "asked", tmp_path / "registries.conf"
    conf.write_text(
        f'credential-helpers = ["of-the-tests"]\n[[registry]]\nlocation = "{protected.host}"\ninsecure = true\n'
    )
    answer = json.dumps({"ServerURL": protected.host, "Username": USERNAME, "Secret": PASSWORD})
    script = f"echo \"$1 $(cat)\" >> {asked}\necho '{answer}'"
    programs = with_program(tmp_path, "docker-credential-of-the-tests", script)
    files = RegistryFiles(registries=conf)
    assert await pulled(tmp_path, programs, files, f"{protected.host}/box", RegistryAccess()) == busybox_image().id
    assert asked.read_text().splitlines() == [f"get {protected.host}"]


@pytest_twisted.ensureDeferred
async def test_what_vanished_from_the_store_is_copied_once_more_by_the_same_proxy(
    protected: DockerRegistry, tmp_path: Path
) -> None:
    failure = "committing the finished image: saving image: image not known"
    script = f"""
        case "$*" in *' copy '*)
            if mkdir {tmp_path}/failed; then
                echo 'time="x" level=fatal msg="{failure}"' >&2
                exit 1
            fi
        esac
        exec {shutil.which("skopeo")} "$@"
    """
    programs = with_program(tmp_path, "skopeo", script)
    access = RegistryAccess({protected.host: Credentials(USERNAME, PASSWORD)}, tls_verify=False)
    image_id = await pulled(tmp_path, programs, RegistryFiles(), f"{protected.host}/box", access)
    assert (image_id, (tmp_path / "failed").is_dir()) == (busybox_image().id, True)


@pytest.fixture
def own(make_service: MakeService) -> Service:
    service = make_service("--idle-timeout", "0")
    service.start()
    return service


class Held(BadRegistry):
    """Lets its manifest, and then its layer, wait until somebody says so.

    Attributes:
        asked: set when the one that waits is asked for.
        answer: to be set for it to be answered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()
        self.before_tag = self.hold
        self.blob = self.hold_and_give

    def hold(self) -> None:
        self.asked.set()
        assert self.answer.wait(LIMIT)
        self.answer.clear()

    def hold_and_give(self, handler: Any, data: bytes) -> None:
        self.hold()
        handler.give(data)

    def wait_until_asked(self) -> None:
        assert self.asked.wait(LIMIT)
        self.asked.clear()


@pytest.fixture
def held() -> Iterator[Held]:
    registry = Held()
    yield registry
    registry.answer.set()
    registry.server.shutdown()
    registry.server.server_close()


def proxies(service: Service) -> list[int]:
    """The processes that are proxies of a service."""
    found = []
    for pid in Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split():
        try:
            if b"registry_proxy/program.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
        except FileNotFoundError:
            continue
    return found


def test_look_and_copy_go_by_the_same_proxy_which_is_gone_afterwards(own: Service, held: Held) -> None:
    answers: list[tuple[int, list[dict[str, object]]]] = []
    client = threading.Thread(target=lambda: answers.append(pull(own, f"{held.host}/box", "1", **auth(held.host))))
    client.start()
    seen = []
    for _ in ("manifest", "layer"):
        held.wait_until_asked()
        seen.append(proxies(own))
        held.answer.set()
    client.join(LIMIT)
    ((status, said),) = answers
    assert (status, "Downloaded newer image" in str(said[-1])) == (200, True), said
    (first, second) = seen
    assert (len(first), second) == (1, first)
    assert proxies(own) == []


def test_a_client_that_leaves_takes_the_proxy_along(own: Service, held: Held) -> None:
    connection = UnixConnection(own.socket)
    connection.request("POST", f"/images/create?fromImage={held.host}/box&tag=1", headers=auth(held.host))
    held.wait_until_asked()
    held.answer.set()
    held.wait_until_asked()  # for the layer
    assert len(proxies(own)) == 1
    connection.close()
    deadline = time.monotonic() + LIMIT
    while proxies(own):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    nothing_half_pulled(own)
