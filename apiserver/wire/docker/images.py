"""Images in the shapes of a listing, an inspection, a removal and a load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from apiserver.engine.names import InvalidReference, familiar_name, familiar_repository, parse_reference
from apiserver.engine.ports.images import Image, ImageConfig, LoadedImage
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.docker.options.lifecycle import show_health
from apiserver.wire.docker.versions import V1_43, V1_44, V1_45, V1_50, Version
from apiserver.wire.gojson import go_time, sorted_map, unix_seconds


def image_id(hex_digits: str) -> str:
    return f"sha256:{hex_digits}"


def new_name(repository: str, tag: str | None) -> str:
    """The canonical name that `repo` and `tag` of a query give an image; `tag` wins over one in `repo`.

    Raises:
        InvalidReference
    """
    reference = parse_reference(repository)
    if reference.digest:
        raise InvalidReference("refusing to create a tag with a digest reference")
    if familiar_repository(reference.repository) == "sha256":
        raise InvalidReference("refusing to create an ambiguous tag using digest algorithm as name")
    if tag:
        reference = parse_reference(f"{reference.repository}:{tag}")
    return reference.tagged().canonical


def summary_json(image: Image, containers: int, shared_bytes: int, version: Version) -> JsonObject:
    """An entry of `GET /images/json`.

    Args:
        containers: how many are made of it; -1: not counted.
        shared_bytes: of its layers that other images have, too; -1: not counted.
    """
    tags: list[JsonValue] = [familiar_name(name) for name in image.names]
    digests: list[JsonValue] = [familiar_name(name) for name in (*image.digests, *image.pulled)]
    if version < V1_43 and not tags:
        tags, digests = ["<none>:<none>"], digests or ["<none>@<none>"]
    shown: JsonObject = {
        "Containers": containers,
        "Created": unix_seconds(image.created),
        "Id": image_id(image.id),
        "Labels": sorted_map(image.config.labels) or None,
        "ParentId": image_id(image.parent) if image.parent else "",
        "RepoDigests": digests,
        "RepoTags": tags,
        "SharedSize": shared_bytes,
        "Size": image.size_bytes,
    }
    if version < V1_44:
        shown["VirtualSize"] = image.size_bytes
    return shown


def image_json(image: Image, storage_driver: str, version: Version) -> JsonObject:
    """`GET /images/{name}/json`.

    `LastTagTime` is what Docker has for an image that was pulled or loaded: the store does not say when a name came.
    """
    shown: JsonObject = {
        "Id": image_id(image.id),
        "RepoTags": [familiar_name(name) for name in image.names],
        "RepoDigests": [familiar_name(name) for name in (*image.digests, *image.pulled)],
        "Parent": image_id(image.parent) if image.parent else "",
        "Comment": image.comment or (image.history[-1].comment if image.history else ""),
        "DockerVersion": image.docker_version,
        "Author": image.author,
        "Config": _config(image.config, version),
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": image.size_bytes,
        "GraphDriver": {"Data": _layers(image), "Name": storage_driver},
        "RootFS": {"Type": "layers", "Layers": [layer.diff_digest for layer in image.layers]},
        "Metadata": {"LastTagTime": go_time(None)},
    }
    if image.variant:
        shown["Variant"] = image.variant
    if image.created is not None or version < V1_44:
        shown["Created"] = go_time(image.created, image.created_nanosecond)
    if version < V1_44:
        shown["VirtualSize"] = image.size_bytes
    if version < V1_45:
        shown["ContainerConfig"] = _config(ImageConfig(), version)
    return shown


def _layers(image: Image) -> JsonObject | None:
    """Without the `MergedDir` that Docker has: nobody mounts an image by itself."""
    if not image.directories:
        return None
    upper, *lower = image.directories
    shown: JsonObject = {"UpperDir": upper, "WorkDir": image.layers[-1].work}
    return {"LowerDir": ":".join(lower), **shown} if lower else shown


def _config(config: ImageConfig, version: Version) -> JsonObject:
    """Up to 1.49 a whole container's configuration; the fields that an image cannot have are at zero."""
    shown: JsonObject = {
        "User": config.user,
        "Env": list(config.env) or None,
        "Cmd": None if config.cmd is None else list(config.cmd),
        "Volumes": {path: {} for path in config.volumes} or None,
        "WorkingDir": config.working_dir,
        "Entrypoint": None if config.entrypoint is None else list(config.entrypoint),
        "OnBuild": list(config.on_build) or None,
        "Labels": sorted_map(config.labels) or None,
    }
    if version < V1_50:
        shown |= {"Hostname": "", "Domainname": "", "Image": ""}
        shown |= dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr"), False)
        shown |= dict.fromkeys(("Tty", "OpenStdin", "StdinOnce"), False)
    if config.exposed_ports:
        shown["ExposedPorts"] = {port: {} for port in config.exposed_ports}
    if config.healthcheck is not None:
        shown["Healthcheck"] = show_health(config.healthcheck)
    if config.stop_signal:
        shown["StopSignal"] = config.stop_signal
    if config.shell:
        shown["Shell"] = list(config.shell)
    return shown


def removed_json(untagged: Iterable[str], deleted: Iterable[str]) -> list[JsonObject]:
    """`DELETE /images/{name}`: first the names that went, then the ids.

    Args:
        untagged: canonical names, and digests with their repositories.
    """
    shown: list[JsonObject] = [{"Untagged": familiar_name(name)} for name in untagged]
    shown += [{"Deleted": image_id(each)} for each in deleted]
    return shown


def loaded_texts(images: Sequence[LoadedImage]) -> list[str]:
    """A line for each name that came in, or for the id of an image that has none."""
    texts = []
    for image in images:
        texts += [f"Loaded image: {familiar_name(name)}\n" for name in image.names]
        if not image.names:
            texts.append(f"Loaded image ID: {image_id(image.id)}\n")
    return texts


def history_json(image: Image) -> list[JsonObject]:
    """`GET /images/{name}/history`: newest first; only the newest step has an id and names."""
    shown: list[JsonObject] = []
    for number, entry in enumerate(reversed(image.history)):
        newest = number == 0
        shown.append(
            {
                "Comment": entry.comment,
                "Created": unix_seconds(entry.created),
                "CreatedBy": entry.created_by,
                "Id": image_id(image.id) if newest else "<missing>",
                "Size": entry.size_bytes,
                "Tags": ([familiar_name(name) for name in image.names] or None) if newest else None,
            }
        )
    return shown
