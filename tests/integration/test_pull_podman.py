"""The podman CLI pulls from real registries."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.test_pull_docker import pull
from tests.support.image_archive import busybox_image
from tests.support.podman import Podman
from tests.support.registry import PASSWORD, USERNAME, DockerRegistry, docker_registry
from tests.support.service import Service


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("secured"), protected=True, tls=True) as running:
        running.put_image("box", "latest", busybox_image(Cmd=["true"]))
        yield running


def test_podman_pulls_and_says_the_id_and_on_stderr_what_podman_says(podman: Podman, registry: DockerRegistry) -> None:
    name = f"{registry.host}/box:latest"
    said = podman("pull", "--tls-verify=false", name)
    [layer] = busybox_image().layers
    assert (said.code, said.stdout) == (0, f"{busybox_image().id}\n")
    assert said.stderr == (
        f"Trying to pull {name}...\n"
        "Getting image source signatures\n"
        f"Copying blob sha256:{hashlib.sha256(layer).hexdigest()}\n"
        f"Copying config sha256:{busybox_image().id}\n"
        "Writing manifest to image destination\n"
    )


def test_what_is_not_there_is_said_once(podman: Podman, registry: DockerRegistry) -> None:
    name = f"{registry.host}/box:none"
    said = podman("pull", "--tls-verify=false", name)
    words = f"reading manifest none in {registry.host}/box: manifest unknown"
    assert said.stderr.endswith(f"Error: initializing source docker://{name}: {words}\n")


def test_podman_runs_an_image_that_has_to_be_pulled(podman: Podman, registry: DockerRegistry) -> None:
    registry.put_image("run", "latest", busybox_image())
    assert podman.ok("run", "--rm", "--tls-verify=false", f"{registry.host}/run", "echo", "pulled") == "pulled"


def test_podman_never_falls_to_http_unasked(podman: Podman, registry: DockerRegistry) -> None:
    said = podman("pull", f"{registry.host}/box:latest")
    assert (said.code, "HTTP response to HTTPS client" in said.stderr) == (125, True)


def test_a_certificate_that_nobody_vouches_for_is_refused(service: Service, secured: DockerRegistry) -> None:
    name = f"{secured.host}/box"
    status, body = service.request("POST", f"/v5.0.0/libpod/images/pull?reference={name}&tlsVerify=true")
    assert (status, "certificate" in json.loads(body)["message"]) == (500, True)


def test_the_hosts_certs_d_vouches_for_a_registry(podman: Podman, secured: DockerRegistry) -> None:
    folder = Path("/etc/containers/certs.d") / secured.host
    folder.mkdir(parents=True)
    try:
        assert secured.ca is not None
        shutil.copy(secured.ca, folder / "ca.crt")
        podman.ok("pull", "--creds", f"{USERNAME}:{PASSWORD}", f"{secured.host}/box:latest")
    finally:
        shutil.rmtree(folder)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()


def test_podmans_credentials_for_a_part_of_a_registry_are_for_that_part(podman: Podman, tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", protected=True) as registry:
        registry.put_image("team/box", "latest", busybox_image())
        registry.put_image("teams/box", "latest", busybox_image())
        right, wrong = (base64.b64encode(f"{USERNAME}:{each}".encode()).decode() for each in (PASSWORD, "wrong"))
        parts = {"": wrong, "/team": right, "/zzz": wrong}
        authfile = tmp_path / "auth.json"
        authfile.write_text(json.dumps({"auths": {registry.host + part: {"auth": it} for part, it in parts.items()}}))
        pull = ("pull", "--tls-verify=false", "--authfile", str(authfile))
        podman.ok(*pull, f"{registry.host}/team/box")
        refused = podman(*pull, f"{registry.host}/teams/box")
        assert (refused.code, "authentication required" in refused.stderr) == (125, True)


def test_short_names_go_by_registries_conf_for_podman_and_to_docker_hub_for_docker(
    make_service: Callable[..., Service], registry: DockerRegistry, tmp_path: Path
) -> None:
    conf = tmp_path / "registries.conf"
    conf.write_text(
        f'unqualified-search-registries = ["{registry.host}"]\n'
        f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n'
        '[[registry]]\nlocation = "docker.io"\nblocked = true\n'
    )
    service = make_service("--idle-timeout", "0")
    service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(conf)})
    status, body = service.request("POST", "/v5.0.0/libpod/images/pull?reference=box")
    first, *_, last = (json.loads(line) for line in body.splitlines())
    assert first == {"stream": f'Resolving "box" using unqualified-search registries ({conf})\n'}
    assert (status, last.get("id")) == (200, busybox_image().id), body
    status, (said,) = pull(service, "box")
    assert (status, "docker.io" in str(said["message"])) == (403, True)


def test_an_event_tells_of_the_pull(service: Service, registry: DockerRegistry) -> None:
    pull(service, f"{registry.host}/box")
    _, body = service.request("GET", f'/events?since=1&until={time.time() + 1:.0f}&filters={{"event":["pull"]}}')
    actor = json.loads(body.splitlines()[-1])["Actor"]
    assert (actor["ID"], actor["Attributes"]["name"]) == (f"{registry.host}/box:latest", f"{registry.host}/box")
    _, body = service.request("GET", '/v5.0.0/libpod/events?stream=false&filters={"event":["pull"]}')
    actor = json.loads(body.splitlines()[-1])["Actor"]
    assert (actor["ID"], actor["Attributes"]["name"]) == (busybox_image().id, f"{registry.host}/box:latest")


def test_what_was_pulled_is_read_by_buildah(service: Service, registry: DockerRegistry) -> None:
    pull(service, f"{registry.host}/box")
    store = ["--root", f"{service.root}/storage", "--runroot", f"{service.runroot}/storage"]
    listed = subprocess.run(
        ["buildah", *store, "--storage-driver", "overlay", "images", "--format", "{{.Name}}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert f"{registry.host}/box" in listed.stdout
