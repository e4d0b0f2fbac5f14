"""Images in Podman's shapes, with whole names and ids without `sha256:`.

Podman: pkg/domain/entities/types/images.go, pkg/inspect/inspect.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from apiserver.engine.names import LOCAL, InvalidReference, parse_reference
from apiserver.engine.ports.images import Healthcheck, Image, ImageConfig, LoadedImage
from apiserver.jsonvalue import JsonObject
from apiserver.wire.gojson import go_time, sorted_map, unix_seconds

_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


def changes(texts: Sequence[str]) -> list[str]:
    """Instructions, which may also be written `CMD=/bin/sh`: a word alone, so without any space."""
    return [text if " " in text.strip() else text.replace("=", " ", 1) for text in texts]


def new_name(repository: str, tag: str | None = None) -> str:
    """The canonical name that `repo` and `tag` of a query give an image: a short one is in `localhost`.

    Raises:
        InvalidReference
    """
    reference = parse_reference(repository, short_domain=LOCAL)
    if reference.digest:
        raise InvalidReference("cannot create a tag with a digest reference")
    if tag:
        reference = parse_reference(f"{reference.repository}:{tag}", short_domain=LOCAL)
    return reference.tagged().canonical


def summary_json(image: Image, containers: int) -> JsonObject:
    """An entry of `GET /libpod/images/json`.

    Args:
        containers: how many are made of it.
    """
    shown: JsonObject = {
        "Id": image.id,
        "ParentId": image.parent or "",
        "RepoTags": list(image.names),
        "RepoDigests": _digests(image),
        "Created": unix_seconds(image.created),
        "Size": image.size_bytes,
        "SharedSize": 0,
        "VirtualSize": image.size_bytes,
        "Labels": sorted_map(image.config.labels) or None,
        "Containers": containers,
        "Arch": image.architecture,
        "Digest": image.manifest_digest,
        "IsManifestList": False,
        "Os": image.os,
    }
    if image.names:
        shown |= {"History": list(image.names), "Names": list(image.names)}
    else:
        shown["Dangling"] = True
    return shown


def _digests(image: Image) -> list[str]:
    """One for each repository and manifest, as Podman makes them also where nothing was pulled."""
    repositories = [parse_reference(name).repository for name in image.names]
    digests = filter(None, dict.fromkeys((image.manifest_digest, *image.manifest_digests)))
    made = [f"{repository}@{digest}" for digest in digests for repository in repositories]
    return list(dict.fromkeys((*image.digests, *made)))


def image_json(image: Image, storage_driver: str) -> JsonObject:
    """`GET /libpod/images/{name}/json`."""
    shown: JsonObject = {
        "Id": image.id,
        "Digest": image.manifest_digest,
        "RepoTags": list(image.names),
        "RepoDigests": _digests(image),
        "Parent": image.parent or "",
        "Comment": image.comment,
        "Created": None if image.created is None else go_time(image.created, image.created_nanosecond),
        "Config": _config(image.config),
        "Version": image.docker_version,
        "Author": image.author,
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": image.size_bytes,
        "VirtualSize": image.size_bytes,
        "GraphDriver": {"Name": storage_driver, "Data": _layers(image)},
        "RootFS": {"Type": "layers", "Layers": [layer.diff_digest for layer in image.layers]},
        "Labels": sorted_map(image.config.labels) or None,
        "Annotations": {},
        "ManifestType": _MANIFEST_TYPE,
        "User": image.config.user,
        "History": [
            _without_zeros(
                created=None if entry.created is None else go_time(entry.created, entry.created_nanosecond),
                created_by=entry.created_by,
                author=entry.author,
                comment=entry.comment,
                empty_layer=entry.empty_layer,
            )
            for entry in image.history
        ],
        "NamesHistory": list(image.names),
    }
    if image.config.healthcheck is not None:
        shown["Healthcheck"] = health_json(image.config.healthcheck)
    return shown


def _layers(image: Image) -> JsonObject:
    upper, *lower = image.directories or ("",)
    work = image.layers[-1].work if image.layers else ""
    return _without_zeros(LowerDir=":".join(lower), UpperDir=upper, WorkDir=work)


def _config(config: ImageConfig) -> JsonObject:
    return _without_zeros(
        User=config.user,
        ExposedPorts={port: {} for port in config.exposed_ports},
        Env=list(config.env),
        Entrypoint=list(config.entrypoint or ()),
        Cmd=list(config.cmd or ()),
        Volumes={path: {} for path in config.volumes},
        WorkingDir=config.working_dir,
        Labels=sorted_map(config.labels),
        StopSignal=config.stop_signal,
    )


def health_json(health: Healthcheck) -> JsonObject:
    """Times in nanoseconds; a zero is the default and left out."""
    return _without_zeros(
        Test=list(health.test),
        StartPeriod=health.start_period_ns,
        StartInterval=health.start_interval_ns,
        Interval=health.interval_ns,
        Timeout=health.timeout_ns,
        Retries=health.retries,
    )


def _without_zeros(**fields: Any) -> JsonObject:
    return {name: value for name, value in fields.items() if value}


def history_json(image: Image, images: Iterable[Image]) -> list[JsonObject]:
    """`GET /libpod/images/{name}/history`: newest first.

    A step has the id of the image that ends with its layer, each id once, and the names of all that end with it.

    Args:
        images: all that there are.
    """
    ending: dict[str, list[Image]] = {}
    for each in (image, *(other for other in images if other.id != image.id)):
        if each.layers:
            ending.setdefault(each.layers[-1].id, []).append(each)
    layers = [layer.id for layer in image.layers]
    without_layers = [] if layers else [image]
    shown: list[JsonObject] = []
    used: set[str] = set()
    for entry in reversed(image.history):
        here = ending.get(layers[-1], []) if layers else without_layers
        image_id = here[0].id if here and here[0].id not in used else "<missing>"
        used.add(image_id)
        shown.append(
            {
                "Id": image_id,
                "Created": unix_seconds(entry.created),
                "CreatedBy": entry.created_by,
                "Tags": [name for each in here for name in each.names] or None,
                "Size": entry.size_bytes,
                "Comment": entry.comment,
            }
        )
        if layers and not entry.empty_layer:
            layers.pop()
    return shown


def loaded_json(images: Sequence[LoadedImage]) -> JsonObject:
    """Each name that came in, or the id of an image that has none."""
    return {"Names": [name for image in images for name in image.names or (f"sha256:{image.id}",)]}


def removed_json(
    untagged: Iterable[str], deleted: Iterable[str], errors: Iterable[str] = (), exit_code: int = 0
) -> JsonObject:
    """What a removal did; lists that are empty are left out, but for the errors.

    Args:
        exit_code: of `podman rmi`.
    """
    return _without_zeros(Deleted=list(deleted), Untagged=list(untagged)) | {
        "ExitCode": exit_code,
        "Errors": list(errors),
    }
