"""Which namespaces are shared with the host."""

from __future__ import annotations

from apiserver.engine.containers.options import Namespaces
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.libpod.options.body import CreateBody, NamespaceBody

_NOT_BUILT = ("container", "path", "pod", "none", "auto", "keep-id", "no-map", "shareable")


def read_namespaces(body: CreateBody) -> Namespaces:
    return Namespaces(
        pid=_read("pidns", body.pidns) or Namespace.PRIVATE,
        ipc=_read("ipcns", body.ipcns, Namespace.SHAREABLE, Namespace.NONE),
        uts=_read("utsns", body.utsns) or Namespace.PRIVATE,
        cgroup=_read("cgroupns", body.cgroupns),
    )


def _read(field: str, namespace: NamespaceBody, *more: Namespace) -> Namespace | None:
    """
    Args:
        more: modes beside a private one and the host's.
    """
    mode = namespace.nsmode
    if mode in ("", "default"):
        return None
    for each in (Namespace.PRIVATE, Namespace.HOST, *more):
        if mode == each.value:
            return each
    if mode in _NOT_BUILT:
        raise NotImplementedYet(f"the option {field}={mode}")
    raise InvalidParameter(f"{field}: invalid namespace mode: {mode[:100]!r}")
