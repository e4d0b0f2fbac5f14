"""The credentials of the host that we find are those that skopeo itself would find."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from apiserver.drivers.process import Programs
from apiserver.engine.ports.registry import Credentials
from apiserver.local.registries.host_credentials import RUNTIME_AUTHFILE, HostCredentials, HostCredentialsFailed
from tests.support.host_files import with_host_files
from tests.support.image_archive import busybox_image
from tests.support.image_stores import in_thread
from tests.support.registry import PASSWORD, USERNAME, DockerRegistry, docker_registry

RUNTIME = "run/containers/auth.json"
HOME = "home/.config/containers/auth.json"
DOCKER = "home/.docker/config.json"
LEGACY = "home/.dockercfg"
NAMED = "named.json"

FOUND, NOT_FOUND, FAILED = "found", "not found", "failed"
RIGHT, WRONG = (
    {"auth": base64.b64encode(f"{USERNAME}:{each}".encode()).decode()} for each in (PASSWORD, "wrong-Pa55-word")
)

ARRANGEMENTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "nothing": (NOT_FOUND, {}),
    "registry": (FOUND, {RUNTIME: {"auths": {"HOST": RIGHT}}}),
    "most specific": (FOUND, {RUNTIME: {"auths": {"HOST": WRONG, "HOST/ns": WRONG, "HOST/ns/box": RIGHT}}}),
    "namespace": (FOUND, {RUNTIME: {"auths": {"HOST": WRONG, "HOST/ns": RIGHT, "HOST/ns/other": WRONG}}}),
    "wrong and more specific": (NOT_FOUND, {RUNTIME: {"auths": {"HOST": RIGHT, "HOST/ns": WRONG}}}),
    "URL": (FOUND, {DOCKER: {"auths": {"https://HOST/v1/": RIGHT}}}),
    "registry before URL": (FOUND, {DOCKER: {"auths": {"http://HOST": WRONG, "HOST": RIGHT}}}),
    "path without a scheme": (NOT_FOUND, {DOCKER: {"auths": {"HOST/v2/": RIGHT}}}),
    "Docker's first format": (FOUND, {LEGACY: {"HOST/v1/": RIGHT}}),
    "keys in any case": (FOUND, {HOME: {"AUTHS": {"HOST": {"Auth": RIGHT["auth"]}}}}),
    "first file": (NOT_FOUND, {RUNTIME: {"auths": {"HOST": WRONG}}, HOME: {"auths": {"HOST/ns": RIGHT}}}),
    "empty entry": (FOUND, {RUNTIME: {"auths": {"HOST/ns": {}, "HOST": WRONG}}, DOCKER: {"auths": {"HOST": RIGHT}}}),
    "no JSON": (FAILED, {HOME: "{", DOCKER: {"auths": {"HOST": RIGHT}}}),
    "empty file": (FAILED, {RUNTIME: "", DOCKER: {"auths": {"HOST": RIGHT}}}),
    "wrong type elsewhere": (FAILED, {RUNTIME: {"auths": {"HOST": RIGHT, "other": {"auth": 5}}}}),
    "no base64": (FAILED, {RUNTIME: {"auths": {"HOST": {"auth": RIGHT["auth"] + "="}}}}),
    "lines of base64": (FOUND, {RUNTIME: {"auths": {"HOST": {"auth": RIGHT["auth"][:8] + "\n" + RIGHT["auth"][8:]}}}}),
    "no base64 elsewhere": (FOUND, {RUNTIME: {"auths": {"HOST": RIGHT, "other": {"auth": "!"}}}}),
    "named": (FOUND, {NAMED: {"auths": {"HOST": RIGHT}}, HOME: {"auths": {"HOST/ns": WRONG}}}),
    "named without it, runtime": (NOT_FOUND, {NAMED: {}, RUNTIME: {"auths": {"HOST": RIGHT}}}),
    "helper": (FOUND, {DOCKER: {"credHelpers": {"HOST": "test"}, "auths": {"HOST/ns/box": WRONG}}}),
    "helper of a namespace": (NOT_FOUND, {DOCKER: {"credHelpers": {"HOST/ns": "test"}}}),
    "helper for all": (NOT_FOUND, {DOCKER: {"credsStore": "test"}}),
    "helper without it": (FOUND, {HOME: {"credHelpers": {"HOST": "none"}}, DOCKER: {"auths": {"HOST": RIGHT}}}),
    "helper that fails": (FAILED, {HOME: {"credHelpers": {"HOST": "bad"}}, DOCKER: {"auths": {"HOST": RIGHT}}}),
    "helper that is missing": (FAILED, {HOME: {"credHelpers": {"HOST": "nope"}}, DOCKER: {"auths": {"HOST": RIGHT}}}),
    "helper that says nothing": (FAILED, {HOME: {"credHelpers": {"HOST": "silent"}}}),
    "listed": (FOUND, {"conf": ["test", "containers-auth.json"], RUNTIME: {"auths": {"HOST": WRONG}}}),
    "files listed first": (NOT_FOUND, {"conf": ["containers-auth.json", "test"], RUNTIME: {"auths": {"HOST": WRONG}}}),
    "files not listed": (NOT_FOUND, {"conf": ["none"], RUNTIME: {"auths": {"HOST": RIGHT}}}),
    "listed, one fails": (FOUND, {"conf": ["bad", "nope", "containers-auth.json", "test"], RUNTIME: "{"}),
    "listed, all fail": (FAILED, {"conf": ["bad", "containers-auth.json"]}),
    "none listed": (FOUND, {"conf": [], RUNTIME: {"auths": {"HOST": RIGHT}}}),
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry"), protected=True) as running:
        running.put_image("ns/box", "latest", busybox_image())
        yield running


class Arranged:
    """A host's files and programs in a directory, for us and for skopeo."""

    def __init__(self, folder: Path, registry: DockerRegistry, files: Mapping[str, Any]) -> None:
        self.folder = folder
        self.host = registry.host
        (folder / "home").mkdir()
        (folder / "run").mkdir()
        (folder / "registries.conf").write_text(f"credential-helpers = {json.dumps(files.get('conf', []))}\n")
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text.replace("HOST", self.host))
        self.named = folder / NAMED if NAMED in files else None
        answer = json.dumps({"ServerURL": self.host, "Username": USERNAME, "Secret": PASSWORD})
        self._helper("test", f"[ \"$1 $(cat)\" = 'get {self.host}' ] && echo '{answer}'")
        self._helper("none", "echo credentials not found in native keychain; exit 1")
        self._helper("bad", "echo it is broken; exit 2")
        self._helper("silent", "exit 0")

    def _helper(self, name: str, script: str) -> None:
        path = self.folder / f"bin/docker-credential-{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def search_path(self) -> list[str]:
        return [str(self.folder / "bin"), *os.environ["PATH"].split(":")]

    def skopeo(self) -> str:
        """What it makes of them."""
        words = ["skopeo", "--registries-conf", str(self.folder / "registries.conf"), "inspect", "--raw"]
        words += ["--authfile", str(self.named)] if self.named else []
        environment = {
            "HOME": str(self.folder / "home"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "PATH": ":".join(self.search_path),
        }
        done = subprocess.run(
            [*words, "--tls-verify=false", f"docker://{self.host}/ns/box:latest"],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0:
            return FOUND
        if "getting username and password" in done.stderr:
            return FAILED
        refusals = ("authentication required", "invalid username/password")
        assert any(each in done.stderr for each in refusals), done.stderr
        return NOT_FOUND

    async def ours(self) -> str:
        credentials = HostCredentials(
            Programs(reactor, search_path=self.search_path),
            in_thread,
            self.named,
            self.folder / "registries.conf",
            runtime=self.folder / RUNTIME,
            home=self.folder / "home",
        )
        try:
            found = await credentials.find(f"{self.host}/ns/box")
        except HostCredentialsFailed:
            return FAILED
        return FOUND if found == Credentials(USERNAME, PASSWORD) else NOT_FOUND


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
async def test_we_find_what_skopeo_finds(arrangement: str, registry: DockerRegistry, tmp_path: Path) -> None:
    expected, files = ARRANGEMENTS[arrangement]
    arranged = Arranged(tmp_path, registry, files)
    assert (await arranged.ours(), arranged.skopeo()) == (expected, expected)


@pytest_twisted.ensureDeferred
async def test_beside_a_named_file_we_look_where_this_skopeo_looks(registry: DockerRegistry, tmp_path: Path) -> None:
    arranged = Arranged(tmp_path, registry, {NAMED: {}, DOCKER: {"auths": {"HOST": RIGHT}}})
    assert await arranged.ours() == arranged.skopeo()


@pytest_twisted.ensureDeferred
async def test_our_skopeo_looks_into_these_files_of_the_host(registry: DockerRegistry, tmp_path: Path) -> None:
    files = {str(RUNTIME_AUTHFILE): "{}", "/root/nothing": ""}
    words = ["skopeo", "--debug", "inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/ns/box"]
    done = await Programs(reactor).run([*with_host_files(tmp_path / "files", files), *words], ok_codes=None)
    assert re.findall(rf"No credentials matching {registry.host}/ns/box found in (\S+)\"", done.stderr.decode()) == [
        str(RUNTIME_AUTHFILE),
        "/root/.config/containers/auth.json",
        "/root/.docker/config.json",
        "/root/.dockercfg",
    ]
