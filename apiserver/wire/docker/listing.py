"""A container in the shape of an entry of `GET /containers/json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from apiserver.engine.containers.model import Container
from apiserver.engine.ports.networks import Network
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.endpoints import networks_json, published
from apiserver.wire.docker.mount_points import mount_points
from apiserver.wire.docker.options.network import show_mode
from apiserver.wire.docker.options.ports import list_ports
from apiserver.wire.docker.status import state_word, status_text
from apiserver.wire.docker.versions import V1_46, V1_52, Version
from apiserver.wire.gojson import sorted_map, unix_seconds


def summary_json(
    container: Container,
    networks: Mapping[str, Network],
    mountpoints: Mapping[str, str],
    image_id: Callable[[str], str],
    version: Version,
    now: datetime,
) -> JsonObject:
    """A name that is no longer the container's image's is not shown: then it is the image's id.

    Args:
        networks, mountpoints: as `inspect.Surroundings` has them.
        image_id: of the image that a name means now; empty for none.
        now: for the words of `Status`.
    """
    options = container.options
    host: JsonObject = {"NetworkMode": show_mode(options.network)}
    if version >= V1_46 and options.identity.annotations:
        host["Annotations"] = sorted_map(options.identity.annotations)
    image = f"sha256:{container.image_id}"
    there = container.alive and options.network.bridged
    shown: JsonObject = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": container.image_name if image_id(container.image_name) == container.image_id else image,
        "ImageID": image,
        "Command": _command(container),
        "Created": unix_seconds(container.created),
        "Ports": list_ports(published(container), options.network.exposed if there else ()),
        "Labels": sorted_map(options.identity.labels),
        "State": state_word(container),
        "Status": status_text(container, now),
        "HostConfig": host,
        "NetworkSettings": {"Networks": networks_json(container, networks, version)},
        "Mounts": mount_points(container, mountpoints),
    }
    if version >= V1_52:
        shown["Health"] = {"Status": "none", "FailingStreak": 0}
    return shown


def _command(container: Container) -> str:
    path, *arguments = container.options.process.argv or ("",)
    return " ".join([path, *(f"'{word}'" if " " in word else word for word in arguments)])
