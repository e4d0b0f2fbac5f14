"""Kernel parameters of a container: those alone that a namespace of its own holds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from apiserver.engine.containers.options.namespaces import Namespace, Namespaces
from apiserver.engine.containers.options.network import HOST, Network
from apiserver.errors import InvalidParameter

DOMAIN_NAME = "kernel.domainname"
_IPC = frozenset(
    f"kernel.{name}"
    for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced", "msg_next_id")
) | {"kernel.sem_next_id", "kernel.shm_next_id"}
_NAME = re.compile(r"[A-Za-z0-9_:@-]+(\.[A-Za-z0-9_:@-]+)+")
"""Without a slash: a runtime makes a path of it by putting one in the place of each dot."""
_LONGEST_VALUE = 1024


def validated(sysctls: Mapping[str, str], namespaces: Namespaces, network: Network) -> dict[str, str]:
    """The parameters as they will act.

    Raises:
        InvalidParameter: it would act on the host, in the words of Docker and runc.
    """
    for name, value in sysctls.items():
        _check(name, namespaces, network)
        if "\0" in value or "\n" in value or len(value) > _LONGEST_VALUE:
            raise InvalidParameter(f"Sysctls: invalid value of sysctl '{name}'")
    return {name: value.strip() for name, value in sysctls.items()}


def _check(name: str, namespaces: Namespaces, network: Network) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidParameter(f"sysctl '{name[:200]}' is not allowed")
    if name.startswith("net."):
        if network.mode == HOST:
            raise InvalidParameter(f'sysctl "{name}" not allowed in host network namespace')
    elif name in _IPC or name.startswith("fs.mqueue."):
        if namespaces.ipc is Namespace.HOST:
            raise InvalidParameter(f'sysctl "{name}" not allowed in host IPC namespace')
    elif name == DOMAIN_NAME:
        if namespaces.uts is Namespace.HOST:
            raise InvalidParameter(f'sysctl "{name}" not allowed in host UTS namespace')
    elif name == "kernel.hostname":
        raise InvalidParameter(f"sysctl '{name}' is not allowed: Hostname (--hostname) sets it")
    else:
        raise InvalidParameter(f"sysctl '{name}' is not allowed")
