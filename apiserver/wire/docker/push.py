"""A push as Docker's clients ask for it, and the lines that they print."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from apiserver.engine.names import Reference
from apiserver.engine.ports.images import Image, Layer
from apiserver.engine.ports.registry import RemoteManifest
from apiserver.jsonvalue import JsonObject
from apiserver.wire.progress import status_line

_ID_LENGTH = 12


def first_line(reference: Reference) -> JsonObject:
    return status_line(f"The push refers to repository [{reference.repository}]")


def preparing_lines(image: Image) -> Iterator[JsonObject]:
    for layer in image.layers:
        yield _line("Preparing", layer)


def sending_lines(image: Image, sent: int, reused: Collection[str]) -> Iterator[JsonObject]:
    """What is on its way: the sum is true, and layers are taken to go one after another, base first.

    How large a layer is when it is compressed nobody knows before: so there is no total.

    Args:
        reused: diff digests of layers that are not sent.
    """
    for layer in image.layers:
        if layer.diff_digest in reused:
            continue
        if sent <= 0:
            return
        yield _line("Pushing", layer, {"current": min(sent, layer.size_bytes) or sent})
        sent -= layer.size_bytes


def last_lines(
    reference: Reference, image: Image, manifest: RemoteManifest, reused: Collection[str]
) -> Iterator[JsonObject]:
    tag = reference.tag or "latest"
    for layer in image.layers:
        if layer.diff_digest in manifest.mounted:
            yield _line(f"Mounted from {manifest.mounted[layer.diff_digest]}", layer)
        else:
            yield _line("Layer already exists" if layer.diff_digest in reused else "Pushed", layer)
    yield {"status": f"{tag}: digest: {manifest.digest} size: {manifest.size_bytes}"}
    yield {"progressDetail": {}, "aux": {"Tag": tag, "Digest": manifest.digest, "Size": manifest.size_bytes}}


def _line(status: str, layer: Layer, detail: JsonObject | None = None) -> JsonObject:
    name = layer.diff_digest.partition(":")[2][:_ID_LENGTH]
    return {"status": status, "progressDetail": detail or {}, "id": name}
