"""A registry of Docker's clients on loopback may be anybody; where else its repository is said to come from may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.test_pull_docker import auth, pull
from tests.support.image_archive import busybox_image
from tests.support.registry import MANIFEST_TYPE, DockerRegistry, docker_registry
from tests.support.service import Service

MakeService = Callable[..., Service]
UNTRUSTED = "x509: certificate signed by unknown authority"


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A registry with a certificate that nobody vouches for."""
    with docker_registry(tmp_path_factory.mktemp("untrusted"), tls=True) as running:
        running.put_image("box", "latest", busybox_image(Cmd=["untrusted"]))
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("plain")) as running:
        running.put_image("box", "latest", busybox_image())
        yield running


@pytest.fixture(params=[True, False], ids=["credentials", "none"])
def headers(request: pytest.FixtureRequest) -> Callable[[str], dict[str, str]]:
    """Of a request with or without credentials for a registry."""
    return auth if request.param else lambda host: {}


def started(make_service: MakeService, tmp_path: Path, conf: str) -> Service:
    (tmp_path / "registries.conf").write_text(conf)
    service = make_service("--idle-timeout", "0")
    service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf")})
    return service


@pytest.mark.parametrize("tag", ["latest", ""], ids=["tag", "all"])
def test_where_registries_conf_leads_instead_has_to_have_a_certificate(
    make_service: MakeService,
    tmp_path: Path,
    untrusted: DockerRegistry,
    headers: Callable[[str], dict[str, str]],
    tag: str,
) -> None:
    conf = f'[[registry]]\nprefix = "localhost:1"\nlocation = "{untrusted.host}"\n'
    service = started(make_service, tmp_path, conf)
    status, (said,) = pull(service, "localhost:1/box", tag, **headers(untrusted.host))
    assert (status, UNTRUSTED in str(said["message"])) == (500, True), said


def test_a_mirror_has_to_have_one_while_the_registry_itself_may_speak_plainly(
    make_service: MakeService,
    tmp_path: Path,
    untrusted: DockerRegistry,
    plain: DockerRegistry,
    headers: Callable[[str], dict[str, str]],
) -> None:
    mirror = f'[[registry.mirror]]\nlocation = "{untrusted.host}"\n'
    service = started(make_service, tmp_path, f'[[registry]]\nlocation = "{plain.host}"\n{mirror}')
    status, lines = pull(service, f"{plain.host}/box", **headers(untrusted.host))
    assert (status, "Downloaded newer" in str(lines[-1])) == (200, True), lines
    digest = plain.request("GET", "/v2/box/manifests/latest", headers={"Accept": MANIFEST_TYPE})[1]
    assert lines[-2]["status"] == f"Digest: {digest['docker-content-digest']}"


def test_both_may_where_registries_conf_says_so(
    make_service: MakeService, tmp_path: Path, untrusted: DockerRegistry, headers: Callable[[str], dict[str, str]]
) -> None:
    conf = f'[[registry]]\nprefix = "localhost:1"\nlocation = "{untrusted.host}"\ninsecure = true\n'
    service = started(make_service, tmp_path, conf)
    assert pull(service, "localhost:1/box", **headers(untrusted.host))[0] == 200
