"""The JSON of images: configurations as OCI and Docker write them, manifests, indexes and archive manifests.

What is read was made by others: a value of the wrong type is `msgspec.ValidationError`, an unknown key is ignored.
"""

from __future__ import annotations

from typing import Any

import msgspec

MEDIA_TYPE_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_TYPE_LAYER = "application/vnd.oci.image.layer.v1.tar"
MEDIA_TYPE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ANNOTATION_NAME = "org.opencontainers.image.ref.name"
ANNOTATION_CONTAINERD_NAME = "io.containerd.image.name"


class HealthcheckJson(msgspec.Struct, frozen=True, rename="pascal"):
    """Times in nanoseconds."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class RunConfigJson(msgspec.Struct, frozen=True, rename="pascal"):
    """The `config` object; the values of `ExposedPorts` and `Volumes` mean nothing."""

    env: list[str] | None = None
    cmd: list[str] | None = None
    entrypoint: list[str] | None = None
    shell: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    labels: dict[str, str] | None = None
    exposed_ports: dict[str, Any] | None = None
    volumes: dict[str, Any] | None = None
    stop_signal: str | None = None
    on_build: list[str] | None = None
    healthcheck: HealthcheckJson | None = None


class HistoryJson(msgspec.Struct, frozen=True):
    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootfsJson(msgspec.Struct, frozen=True):
    diff_ids: list[str] | None = None


class ConfigJson(msgspec.Struct, frozen=True):
    """A whole image configuration, the blob whose digest is the image's id."""

    created: str | None = None
    author: str = ""
    comment: str = ""
    architecture: str = ""
    os: str = "linux"
    variant: str = ""
    docker_version: str = ""
    config: RunConfigJson | None = None
    rootfs: RootfsJson | None = None
    history: list[HistoryJson] | None = None


class DescriptorJson(msgspec.Struct, frozen=True, rename="camel"):
    digest: str
    media_type: str = ""
    size: int = 0
    annotations: dict[str, str] | None = None
    platform: dict[str, Any] | None = None


class IndexJson(msgspec.Struct, frozen=True):
    """`index.json` of an OCI layout."""

    manifests: list[DescriptorJson]


class ArchiveImageJson(msgspec.Struct, frozen=True, rename="pascal"):
    """One image of a docker-archive's `manifest.json`."""

    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


decode_config = msgspec.json.Decoder(ConfigJson).decode
decode_index = msgspec.json.Decoder(IndexJson).decode
decode_archive_manifest = msgspec.json.Decoder(list[ArchiveImageJson]).decode
