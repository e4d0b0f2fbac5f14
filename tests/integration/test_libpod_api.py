"""What Podman's clients do that no Docker client does, on the real service."""

from __future__ import annotations

import json

from tests.support.image_archive import busybox_layer
from tests.support.service import Service

LIBPOD = "/v5.0.0/libpod"


def test_a_forced_removal_of_an_image_takes_its_running_containers_along(service: Service) -> None:
    assert service.request("POST", f"{LIBPOD}/images/import?reference=used", busybox_layer())[0] == 200
    box = {"Image": "localhost/used", "Cmd": ["sleep", "100"], "HostConfig": {"NetworkMode": "none"}}
    assert service.request("POST", "/containers/create?name=user", box)[0] == 201
    assert service.request("POST", "/containers/user/start")[0] == 204
    status, body = service.request("DELETE", f"{LIBPOD}/images/used")
    assert (status, json.loads(body)["cause"]) == (409, "image is in use by a container")
    status, body = service.request("DELETE", f"{LIBPOD}/images/used?force=true")
    assert (status, json.loads(body)["Untagged"]) == (200, ["localhost/used:latest"])
    assert service.containers() == []
