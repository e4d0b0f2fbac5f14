"""skopeo: copies images into the store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from apiserver.drivers.process import ProgramFailed, Programs

_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


class StoreAddress(Struct, frozen=True):
    """A containers/storage overlay store, and the files that keep skopeo and buildah from the host's own.

    Attributes:
        policy: policy.json: which signatures are asked for.
        registries: registries.conf.
        storage: storage.conf: without one, the host's would add its mount options and further stores.
    """

    root: Path
    runroot: Path
    policy: Path
    registries: Path
    storage: Path

    def environment(self, temporary: Path) -> Mapping[str, str]:
        return {"CONTAINERS_STORAGE_CONF": str(self.storage), "TMPDIR": str(temporary)}


class Skopeo:
    def __init__(self, programs: Programs, store: StoreAddress) -> None:
        self._programs = programs
        self._store = store

    async def copy_into_store(self, source: str, name: str, *, temporary: Path, time_limit: float) -> None:
        """Copy one image into the store under a canonical name, which moves to it.

        Args:
            source: `docker-archive:FILE:@N` or `oci:DIRECTORY`.
            temporary: where skopeo puts blobs meanwhile; what it leaves there when it is killed is the caller's.
            time_limit: seconds.

        Raises:
            ProgramFailed: `reason` tells why.
        """
        store = self._store
        await self._programs.run(
            [
                "skopeo",
                *("--policy", str(store.policy), "--registries-conf", str(store.registries)),
                *("--tmpdir", str(temporary)),
                *("copy", "-q", source, f"containers-storage:[overlay@{store.root}+{store.runroot}]{name}"),
            ],
            env=store.environment(temporary),
            time_limit=time_limit,
        )


def reason(error: ProgramFailed) -> str:
    """What skopeo itself said last, without its log's frame."""
    text = error.stderr.decode(errors="replace")
    said = _FATAL.findall(text)
    return _ESCAPED.sub(r"\1", said[-1]) if said else str(error.subject)
