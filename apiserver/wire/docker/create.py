"""A create request of a Docker client as the engine's options, and the answer to it."""

from __future__ import annotations

from collections.abc import Sequence

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.names import InvalidContainerName
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import CreateBody, HostConfig
from apiserver.wire.docker.options.devices import read_devices
from apiserver.wire.docker.options.identity import read_identity
from apiserver.wire.docker.options.lifecycle import read_lifecycle
from apiserver.wire.docker.options.limits import read_limits
from apiserver.wire.docker.options.logging import ignored, read_logging
from apiserver.wire.docker.options.mounts import read_mounts
from apiserver.wire.docker.options.namespaces import read_namespaces
from apiserver.wire.docker.options.network import NetworkName, read_network
from apiserver.wire.docker.options.process import read_process
from apiserver.wire.docker.options.security import read_security
from apiserver.wire.docker.options.unsupported import refuse_unsupported

__all__ = ["CreateBody", "asked_name", "created_json", "read_create"]


def asked_name(text: str | None) -> str | None:
    """The name for a container as the client sent it.

    Raises:
        InvalidContainerName: one letter is none to Docker.
    """
    if text and len(text.removeprefix("/")) == 1:
        raise InvalidContainerName(text)
    return text


def read_create(body: CreateBody, name_of: NetworkName) -> ContainerOptions:
    """What the client asks, not yet merged with the image.

    Raises:
        InvalidParameter: names the field.
        NotImplementedYet: names the option.
        NoSuchNetwork
    """
    if not body.image:
        raise InvalidParameter("Image: config cannot be empty in order to create a container")
    host = body.host_config or HostConfig()
    refuse_unsupported(body, host)
    return ContainerOptions(
        identity=read_identity(body, host),
        process=read_process(body, host),
        namespaces=read_namespaces(host),
        mounts=read_mounts(body, host),
        limits=read_limits(host),
        security=read_security(host),
        network=read_network(body, host, name_of),
        logging=read_logging(host.log_config),
        lifecycle=read_lifecycle(body, host),
        devices=read_devices(host),
        sysctls=host.sysctls or {},
        runtime=host.runtime,
    )


def created_json(container: Container) -> JsonObject:
    warnings: Sequence[str] = (*container.warnings, *ignored(container.options.logging))
    return {"Id": container.id, "Warnings": list(warnings)}
