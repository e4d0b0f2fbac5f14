"""`SizeRw` and `SizeRootFs`: what a container wrote, and that with its image."""

from __future__ import annotations

from apiserver.engine.containers.sizes import Size
from apiserver.jsonvalue import JsonObject


def inspect_json(size: Size) -> JsonObject:
    return {"SizeRw": size.written_bytes, "SizeRootFs": size.written_bytes + size.image_bytes}


def summary_json(size: Size) -> JsonObject:
    """In a list a zero is left out."""
    return {name: value for name, value in inspect_json(size).items() if value}
