"""Volumes in Podman's shape, the body of a create request, and the filters of a listing.

Podman: libpod/define/volume_inspect.go, pkg/domain/filters/volumes.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from apiserver.engine.volumes.model import Volume
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.jsonvalue import JsonObject
from apiserver.wire.gojson import go_time, parse_moment, sorted_map
from apiserver.wire.libpod.filters import Filters, has_labels, matches_any, truths


class CreateVolumeBody(Struct, rename="pascal"):
    name: str = ""
    driver: str = ""
    label: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    ignore_if_exists: bool = False
    uid: int | None = field(default=None, name="UID")
    gid: int | None = field(default=None, name="GID")

    @property
    def all_labels(self) -> dict[str, str]:
        """Older clients send `Label`."""
        return {**(self.label or {}), **(self.labels or {})}


def check_create(body: CreateVolumeBody) -> None:
    """Raises: NotImplementedYet."""
    for name, value in (("UID", body.uid), ("GID", body.gid)):
        if value is not None:
            raise NotImplementedYet(f"volume option {name}")


def volume_json(volume: Volume, users: int) -> JsonObject:
    """One volume; maps are `{}` where Docker has null.

    Args:
        users: running containers that have it.
    """
    shown: dict[str, Any] = {
        "Name": volume.name,
        "Driver": volume.driver,
        "Mountpoint": volume.mountpoint,
        "CreatedAt": go_time(volume.created),
        "Labels": sorted_map(volume.labels),
        "Scope": "local",
        "Options": sorted_map(volume.options),
        "MountCount": users,
        "LockNumber": 0,
    }
    if volume.needs_copy_up:
        shown["NeedsCopyUp"] = True
    if volume.anonymous:
        shown["Anonymous"] = True
    return shown


def select(
    volumes: Iterable[Volume],
    filters: Filters,
    find: Callable[[str], Volume],
    in_use: Callable[[str], bool],
    now: datetime,
) -> list[Volume]:
    """The volumes that pass, by name: AND between keys, OR within one (labels: AND).

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
        NoSuchVolume: `since` or `after` names none.
    """
    chosen = sorted(volumes, key=lambda volume: volume.name)
    for key, values in filters.items():
        passes = _test(key, values, find, in_use, now)
        if values:
            chosen = [volume for volume in chosen if passes(volume)]
    return chosen


def _test(
    key: str, values: Sequence[str], find: Callable[[str], Volume], in_use: Callable[[str], bool], now: datetime
) -> Callable[[Volume], bool]:
    match key:
        case "name":
            return lambda volume: matches_any(volume.name, values)
        case "driver":
            return lambda volume: volume.driver in values
        case "scope":
            return lambda _: "local" in values
        case "label":
            return lambda volume: has_labels(volume.labels, values)
        case "label!":
            return lambda volume: not has_labels(volume.labels, values)
        case "opt":
            return lambda volume: any(has_labels(volume.options, [value]) for value in values)
        case "dangling":
            wanted = truths(key, values)
            return lambda volume: (not in_use(volume.name)) in wanted
        case "anonymous":
            wanted = truths(key, values)
            return lambda volume: volume.anonymous in wanted
        case "after" | "since":
            latest = max((find(value).created for value in values), default=now)
            return lambda volume: volume.created > latest
        case "until":
            if len(values) > 1:
                raise InvalidParameter("specify exactly one timestamp for until")
            until = parse_moment(key, values[0] if values else "", now) or now
            return lambda volume: volume.created < until
    raise InvalidParameter(f'"{key}" is an invalid volume filter')
