"""`linux.sysctl`: what was asked for, over what every container with a network of its own has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.containers.options.network import HOST
from apiserver.engine.containers.options.sysctls import DOMAIN_NAME
from apiserver.local.runs.spec import identity

_DEFAULTS = {
    # Any user may ping, and listen at any port: in a network of its own this takes nothing from anybody (Docker).
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
}


def known_defaults(root: Path = Path("/proc/sys")) -> dict[str, str]:
    """The defaults that this kernel has."""
    return {name: value for name, value in _DEFAULTS.items() if (root / name.replace(".", "/")).exists()}


def entries(options: ContainerOptions, defaults: Mapping[str, str]) -> dict[str, str]:
    found = dict(defaults) if options.network.mode != HOST else {}
    domain = identity.domainname(options.identity)
    if domain and options.namespaces.uts is Namespace.PRIVATE:
        found[DOMAIN_NAME] = domain  # the field `domainname` is unknown to runc before 1.2
    return {**found, **options.sysctls}
