"""All options of a container looked at together."""

from __future__ import annotations

from msgspec.structs import replace

from apiserver.engine.containers.options import (
    ContainerOptions,
    devices,
    identity,
    lifecycle,
    limits,
    logging,
    mounts,
    network,
    process,
    security,
    sysctls,
)
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.errors import InvalidParameter


def validated(options: ContainerOptions, *, processors: int, host_name: str = "") -> ContainerOptions:
    """Merged options as they will act.

    Args:
        processors, host_name: of this host.

    Raises:
        InvalidParameter: the message names the option.
    """
    if options.lifecycle.init and options.namespaces.pid is Namespace.HOST:
        raise InvalidParameter("Init: there is no process 1 to be on the host: --init does not go with --pid host")
    host_uts = options.namespaces.uts is Namespace.HOST
    default_name = host_name if options.network.mode == network.HOST else ""
    return replace(
        options,
        process=process.validated(options.process),
        identity=identity.validated(options.identity, host_uts=host_uts, default=default_name),
        mounts=mounts.validated(options.mounts),
        limits=limits.validated(options.limits, processors=processors),
        security=security.validated(options.security),
        network=network.validated(options.network),
        logging=logging.validated(options.logging),
        lifecycle=lifecycle.validated(options.lifecycle),
        devices=devices.validated(options.devices),
        sysctls=sysctls.validated(options.sysctls, options.namespaces, options.network),
    )


def warnings(options: ContainerOptions) -> tuple[str, ...]:
    """What of the options is kept and does not act, whatever the host."""
    return (
        *lifecycle.warnings(options.lifecycle),
        *network.warnings(options.network),
    )
