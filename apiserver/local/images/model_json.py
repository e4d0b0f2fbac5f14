"""From a stored image's JSON to the engine's `Image`, and from a new image to its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from apiserver.drivers.containers_storage import StoredImage, StoredLayer
from apiserver.drivers.oci_image import ConfigJson, HealthcheckJson, HistoryJson, RunConfigJson
from apiserver.engine.ports.images import Healthcheck, HistoryEntry, Image, ImageConfig, Layer, NewImage
from apiserver.jsonvalue import JsonObject

NAMELESS = "localhost/apiserver/nameless:"
"""An image without names bears one of these in the store: skopeo puts nothing there without a name, and buildah
takes an image with its last name. They are names to nobody but the store."""

ORPHANED = "localhost/apiserver/orphaned:"
"""An image with such a name is made of layers that nothing needs, and is about to be removed with them. It is no image
to anybody."""


_LONG_FRACTION = re.compile(r"\.(\d{7,})", re.ASCII)


_MANIFEST = "manifest-"
"""What stands before the digest of each manifest, or list of manifests, that the store has got for an image."""


class LayersMissing(Exception):
    """An image's layers are not in the store's list: it was removed since, or broken."""


def image_of(
    stored: StoredImage, layers: Mapping[str, StoredLayer], config: ConfigJson, directory: Callable[[str], Path]
) -> Image:
    """The image, but for `parent` and `intermediate`, which only the whole store tells.

    Args:
        directory: id of a layer -> where its files are.

    Raises:
        LayersMissing
    """
    chain = tuple(_chain(stored.layer, layers, directory))
    names = [name for name in stored.names or () if not name.startswith(NAMELESS)]
    return Image(
        id=stored.id,
        names=tuple(name for name in names if "@" not in name),
        digests=tuple(name for name in names if "@" in name),
        manifest_digest=stored.digest,
        manifest_digests=_manifest_digests(stored),
        created=parse_time(config.created) or parse_time(stored.created),
        created_nanosecond=nanosecond_of(config.created if parse_time(config.created) else stored.created),
        size_bytes=sum(layer.size_bytes for layer in chain),
        config=_run_config(config.config or RunConfigJson()),
        architecture=config.architecture,
        os=config.os,
        variant=config.variant,
        author=config.author,
        comment=config.comment,
        docker_version=config.docker_version,
        layers=chain,
        history=tuple(_history(config.history or (), chain)),
    )


def _manifest_digests(stored: StoredImage) -> tuple[str, ...]:
    kept = (name.removeprefix(_MANIFEST) for name in stored.big_data_names or () if name.startswith(_MANIFEST))
    return tuple(dict.fromkeys(digest for digest in (stored.digest, *kept) if digest))


def _chain(top: str, layers: Mapping[str, StoredLayer], directory: Callable[[str], Path]) -> Sequence[Layer]:
    chain: list[Layer] = []
    while top:
        layer = layers.get(top)
        if layer is None or len(chain) > len(layers):
            raise LayersMissing(top)
        place = directory(layer.id)
        chain.append(Layer(layer.id, layer.diff_digest, layer.diff_size, str(place), str(place.with_name("work"))))
        top = layer.parent
    return chain[::-1]


def _history(entries: Sequence[HistoryJson], chain: Sequence[Layer]) -> Iterator[HistoryEntry]:
    sizes = iter(chain)
    for entry in entries:
        layer = None if entry.empty_layer else next(sizes, None)
        yield HistoryEntry(
            created=parse_time(entry.created),
            created_nanosecond=nanosecond_of(entry.created),
            created_by=entry.created_by,
            author=entry.author,
            comment=entry.comment,
            empty_layer=entry.empty_layer,
            size_bytes=layer.size_bytes if layer else 0,
        )


def _run_config(value: RunConfigJson) -> ImageConfig:
    return ImageConfig(
        env=tuple(value.env or ()),
        cmd=_optional(value.cmd),
        entrypoint=_optional(value.entrypoint),
        shell=_optional(value.shell),
        working_dir=value.working_dir or "",
        user=value.user or "",
        labels=value.labels or {},
        exposed_ports=tuple(sorted(value.exposed_ports or ())),
        volumes=tuple(sorted(value.volumes or ())),
        stop_signal=value.stop_signal or "",
        on_build=tuple(value.on_build or ()),
        healthcheck=_healthcheck(value.healthcheck),
    )


def _optional(value: list[str] | None) -> tuple[str, ...] | None:
    return tuple(value) if value else None


def _healthcheck(value: HealthcheckJson | None) -> Healthcheck | None:
    if value is None:
        return None
    return Healthcheck(
        test=tuple(value.test or ()),
        interval_ns=value.interval,
        timeout_ns=value.timeout,
        start_period_ns=value.start_period,
        start_interval_ns=value.start_interval,
        retries=value.retries,
    )


def parse_time(text: str | None) -> datetime | None:
    """An RFC 3339 time; None for Go's zero time and for what is no time."""
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    if value.year <= 1:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def nanosecond_of(text: str | None) -> int | None:
    """The fraction of a second of an RFC 3339 time; None where a `datetime` holds all of it."""
    match = _LONG_FRACTION.search(text or "")
    return int(match[1].ljust(9, "0")[:9]) if match else None


def config_json(image: NewImage, diff_ids: Sequence[str], architecture: str) -> bytes:
    """The configuration blob of a new image; its digest will be the image's id."""
    created = image.created.astimezone(UTC).isoformat().replace("+00:00", "Z")
    value: JsonObject = {
        "created": created,
        "architecture": image.architecture or architecture,
        "os": image.os,
        "config": _run_config_json(image.config),
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [_present({"created": created, "comment": image.comment, "author": image.author})],
        **_present({"variant": image.variant, "author": image.author, "comment": image.comment}),
    }
    return json.dumps(value).encode()


def _run_config_json(config: ImageConfig) -> JsonObject:
    return _present(
        {
            "Env": list(config.env),
            "Cmd": list(config.cmd or ()),
            "Entrypoint": list(config.entrypoint or ()),
            "Shell": list(config.shell or ()),
            "WorkingDir": config.working_dir,
            "User": config.user,
            "Labels": dict(config.labels),
            "ExposedPorts": {port: {} for port in config.exposed_ports},
            "Volumes": {path: {} for path in config.volumes},
            "StopSignal": config.stop_signal,
            "OnBuild": list(config.on_build),
            "Healthcheck": _healthcheck_json(config.healthcheck),
        }
    )


def _healthcheck_json(health: Healthcheck | None) -> JsonObject:
    if health is None:
        return {}
    return _present(
        {
            "Test": list(health.test),
            "Interval": health.interval_ns,
            "Timeout": health.timeout_ns,
            "StartPeriod": health.start_period_ns,
            "StartInterval": health.start_interval_ns,
            "Retries": health.retries,
        }
    )


def _present(value: JsonObject) -> JsonObject:
    return {key: item for key, item in value.items() if item}
