"""Which namespaces are shared with the host."""

from __future__ import annotations

from apiserver.engine.containers.options import Namespaces
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import HostConfig

_IPC = (Namespace.PRIVATE, Namespace.SHAREABLE, Namespace.NONE)


def read_namespaces(host: HostConfig) -> Namespaces:
    return Namespaces(
        pid=_read("PidMode", "PID", "--pid", host.pid_mode),
        ipc=_read("IpcMode", "IPC", "--ipc", host.ipc_mode, *_IPC) if host.ipc_mode else None,
        uts=_read("UTSMode", "UTS", "--uts", host.uts_mode),
        cgroup=_read_cgroup(host.cgroupns_mode),
    )


def _read(field: str, name: str, flag: str, mode: str, *more: Namespace) -> Namespace:
    """
    Args:
        more: modes beside the host's and none at all.
    """
    if mode == "":
        return Namespace.PRIVATE
    for namespace in (Namespace.HOST, *more):
        if mode == namespace.value:
            return namespace
    if mode.startswith("container:"):
        raise NotImplementedYet(f"the option HostConfig.{field}={mode} ({flag})")
    raise InvalidParameter(f"HostConfig.{field}: invalid {name} mode: {mode}")


def _read_cgroup(mode: str) -> Namespace | None:
    match mode:
        case "":
            return None
        case "host":
            return Namespace.HOST
        case "private":
            return Namespace.PRIVATE
    raise InvalidParameter(f"HostConfig.CgroupnsMode: invalid cgroup namespace mode: {mode}")


def show_namespaces(namespaces: Namespaces, *, unified: bool) -> JsonObject:
    """The modes in an inspection.

    Args:
        unified: the host has cgroup v2 alone, which decides where the client left the choice.
    """
    cgroup = namespaces.cgroup or (Namespace.PRIVATE if unified else Namespace.HOST)
    return {
        "CgroupnsMode": cgroup.value,
        "IpcMode": (namespaces.ipc or Namespace.PRIVATE).value,
        "PidMode": "host" if namespaces.pid is Namespace.HOST else "",
        "UTSMode": "host" if namespaces.uts is Namespace.HOST else "",
        "UsernsMode": "",
    }
