"""Sizes in Podman's words: its root file system is the image alone (podman: libpod/container_internal.go)."""

from __future__ import annotations

from apiserver.engine.containers.sizes import Size
from apiserver.jsonvalue import JsonObject


def inspect_json(size: Size) -> JsonObject:
    """Where no size was asked for, neither key is there."""
    shown: JsonObject = {"SizeRw": size.written_bytes}
    return shown | {"SizeRootFs": size.image_bytes} if size.image_bytes else shown


def summary_json(size: Size) -> JsonObject:
    return {"Size": {"rootFsSize": size.image_bytes, "rwSize": size.written_bytes}}
