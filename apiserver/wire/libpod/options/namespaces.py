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
        # What another container may join makes no difference here: none can yet.
        ipc=_read("ipcns", body.ipcns, "shareable") or Namespace.PRIVATE,
        uts=_read("utsns", body.utsns) or Namespace.PRIVATE,
        cgroup=_read("cgroupns", body.cgroupns),
    )


def _read(field: str, namespace: NamespaceBody, *private: str) -> Namespace | None:
    mode = namespace.nsmode
    if mode in ("", "default"):
        return None
    if mode == "host":
        return Namespace.HOST
    if mode == "private" or mode in private:
        return Namespace.PRIVATE
    if mode in _NOT_BUILT:
        raise NotImplementedYet(f"the option {field}={mode}")
    raise InvalidParameter(f"{field}: invalid namespace mode: {mode[:100]!r}")
