"""A SpecGenerator of a podman client as the engine's options, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options import ContainerOptions, Identity
from apiserver.errors import InvalidArgument
from apiserver.jsonvalue import JsonObject
from apiserver.wire.libpod.options.body import CreateBody
from apiserver.wire.libpod.options.lifecycle import read_lifecycle, read_logging
from apiserver.wire.libpod.options.limits import read_devices, read_limits
from apiserver.wire.libpod.options.mounts import read_mounts
from apiserver.wire.libpod.options.namespaces import read_namespaces
from apiserver.wire.libpod.options.network import NetworkName, discarded, read_network
from apiserver.wire.libpod.options.process import read_process
from apiserver.wire.libpod.options.security import read_security
from apiserver.wire.libpod.options.unsupported import refuse_unsupported

__all__ = ["CreateBody", "created_json", "names_platform", "read_create"]


def read_create(body: CreateBody, name_of: NetworkName, proxies: Mapping[str, str]) -> ContainerOptions:
    """What the client asks, not yet merged with the image.

    Args:
        proxies: what the service's environment says of them.

    Raises:
        InvalidArgument, InvalidParameter: names the field.
        NotImplementedYet: names the option.
        NoSuchNetwork
    """
    refuse_unsupported(body)
    if not body.image:
        raise InvalidArgument("must set root filesystem source to either image or rootfs")
    return ContainerOptions(
        identity=Identity(
            hostname=body.hostname,
            labels=body.labels or {},
            annotations=body.annotations or {},
            create_command=tuple(body.create_command or ()),
        ),
        process=read_process(body, proxies),
        namespaces=read_namespaces(body),
        mounts=read_mounts(body),
        limits=read_limits(body),
        security=read_security(body),
        network=read_network(body, name_of),
        logging=read_logging(body.log_configuration),
        lifecycle=read_lifecycle(body),
        devices=read_devices(body),
        sysctls=body.sysctl or {},
        runtime=body.oci_runtime,
    )


def names_platform(body: CreateBody) -> bool:
    """Whether the client has asked for a platform; Podman looks at it here in lists of images alone."""
    return any((body.image_os, body.image_arch, body.image_variant))


def created_json(body: CreateBody, container: Container) -> JsonObject:
    return {"Id": container.id, "Warnings": [*discarded(body), *container.warnings]}
