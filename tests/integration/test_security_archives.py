"""Archives of somebody who means harm, on the real service: each is loaded or refused, and nothing else comes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.hostile_archives import ESCAPED, archives, layers, odd_configurations, well_formed
from tests.support.image_archive import busybox_image, docker_archive
from tests.support.outside import until
from tests.support.service import Service

# Else a failure would be hidden by a warning that the archive is too long to be shown.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")

SOME = settings(
    derandomize=True, max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
LOADS = st.sampled_from(["/images/load", "/v5.0.0/libpod/images/load"])
IMPORTS = st.sampled_from(["/images/create?fromSrc=-", "/v5.0.0/libpod/images/import?reference=hostile"])


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    own = Service("--idle-timeout", "0")
    own.start()
    yield own
    own.close()


@pytest.fixture(autouse=True)
def unharmed(service: Service) -> Iterator[None]:
    """Whatever was sent: nothing is left of it, nothing lies elsewhere, and the store works."""
    yield
    until(lambda: not list((service.root / "tmp").iterdir()), "no upload is left")
    until(lambda: not list(service.root.glob("copies/*")), "no copy is left half done")
    assert "Traceback" not in service.log()
    assert escaped(service) == []
    status, body = service.request("POST", "/images/load", docker_archive(busybox_image("good:1")))
    assert (status, b"Loaded image: good:1" in body) == (200, True)
    assert service.request("GET", "/images/json?all=1")[0] == 200


def escaped(service: Service) -> list[str]:
    """What lies under the name of a hostile file anywhere but in a layer's own directory."""
    found = []
    for top in (service.root, service.runroot, service.root.parent):
        for at, _, files in os.walk(top):
            inside = "/overlay/" in at and "/diff" in at
            found += [os.path.join(at, file) for file in files if ESCAPED in file and not inside]
    outside = [Path(where, ESCAPED) for where in ("/", "/tmp", "/etc", "/var", "/var/tmp", "/root", os.getcwd())]
    return found + [str(path) for path in outside if os.path.lexists(path)]


@SOME
@given(archive=st.one_of(archives(), well_formed()), path=LOADS)
def test_a_hostile_archive_is_loaded_or_refused(service: Service, archive: bytes, path: str) -> None:
    status, body = service.request("POST", path, archive, timeout=60)
    assert status in (200, 400), body


@SOME
@given(archive=odd_configurations())
def test_an_image_with_an_odd_configuration_is_refused_or_as_good_as_any(service: Service, archive: bytes) -> None:
    status, body = service.request("POST", "/images/load", archive, timeout=60)
    assert status in (200, 400), body
    for path in ("/images/json", "/v5.0.0/libpod/images/json"):
        assert service.request("GET", path)[0] == 200
    if status == 400:
        return
    for path in ("/images/odd:1/json", "/images/odd:1/history", "/v5.0.0/libpod/images/odd:1/json"):
        status, body = service.request("GET", path)
        assert status == 200, body
        json.loads(body)
    host = {"NetworkMode": "none"}
    status, body = service.request("POST", "/containers/create", {"Image": "odd:1", "HostConfig": host})
    assert status in (201, 400), body
    for path in ("/containers/json?all=1", "/v5.0.0/libpod/containers/json?all=true"):
        assert service.request("GET", path)[0] == 200
    if status == 201:
        name = json.loads(body)["Id"]
        for path in (f"/containers/{name}/json", f"/v5.0.0/libpod/containers/{name}/json"):
            assert service.request("GET", path)[0] == 200
        assert service.request("DELETE", f"/containers/{name}?v=1")[0] == 204
    assert service.request("DELETE", "/images/odd:1?force=1")[0] == 200


@SOME
@given(layer=layers(), path=IMPORTS)
def test_a_hostile_layer_is_imported_or_refused(service: Service, layer: bytes, path: str) -> None:
    status, body = service.request("POST", path, layer, timeout=60)
    assert status in (200, 400), body
