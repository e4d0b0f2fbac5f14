"""Volumes in Docker's shapes, the body of a create request, and the filters of a listing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC

from apiserver.engine.volumes.model import Volume
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.container_filters import boolean, has_label
from apiserver.wire.docker.options.body import Body, StringMap
from apiserver.wire.gojson import sorted_map

ANONYMOUS_LABEL = "com.docker.volume.anonymous"
_FILTERS = frozenset({"name", "driver", "label", "dangling"})


class CreateVolumeBody(Body):
    name: str = ""
    driver: str = ""
    driver_opts: StringMap = None
    labels: StringMap = None
    cluster_volume_spec: dict[str, object] | None = None


def check_create(body: CreateVolumeBody) -> None:
    """
    Raises:
        InvalidParameter: a name of one letter, which Podman allows.
        NotImplementedYet: what needs a swarm.
    """
    if len(body.name) == 1:
        raise InvalidParameter(
            f"create {body.name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if body.cluster_volume_spec is not None:
        raise NotImplementedYet("the option ClusterVolumeSpec")


def volume_json(volume: Volume) -> JsonObject:
    """One that has no name of its own has a label for it, as Docker's have."""
    labels = sorted_map(_labels(volume))
    return {
        "CreatedAt": f"{volume.created.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "Driver": volume.driver,
        "Labels": labels or None,
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Options": sorted_map(volume.options) or None,
        "Scope": "local",
    }


def _labels(volume: Volume) -> dict[str, str]:
    return {**volume.labels, **({ANONYMOUS_LABEL: ""} if volume.anonymous else {})}


def list_json(volumes: Iterable[Volume]) -> JsonObject:
    return {"Volumes": [volume_json(volume) for volume in volumes], "Warnings": None}


def select(
    volumes: Iterable[Volume], filters: Mapping[str, Sequence[str]], in_use: Callable[[str], bool]
) -> list[Volume]:
    """The volumes that pass, by name: AND between keys, OR within one (labels: AND).

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
    """
    chosen = sorted(volumes, key=lambda volume: volume.name)
    for key, values in filters.items():
        if key not in _FILTERS:
            raise InvalidParameter(f"invalid filter '{key}'")
        if values:
            chosen = [volume for volume in chosen if _passes(volume, key, values, in_use)]
    return chosen


def _passes(volume: Volume, key: str, values: Sequence[str], in_use: Callable[[str], bool]) -> bool:
    match key:
        case "name":
            return any(value in volume.name for value in values)
        case "driver":
            return volume.driver in values
        case "label":
            return all(has_label(_labels(volume), value) for value in values)
        case _:
            return (not in_use(volume.name)) is boolean(key, values)
