"""A real image store in directories of its own."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from apiserver.deferreds import TimedLock
from apiserver.drivers.buildah import Buildah
from apiserver.drivers.containers_storage import StoreFiles
from apiserver.drivers.linux.mounts import unmount_now
from apiserver.drivers.process import Programs
from apiserver.drivers.skopeo import Skopeo, StoreAddress
from apiserver.local.images.copies import Copies
from apiserver.local.images.orphans import Orphans
from apiserver.local.images.reader import StoreReader
from apiserver.local.images.save import Save
from apiserver.local.images.spool import Spool
from apiserver.local.images.store import ImageStore, prepare_store
from apiserver.local.paths import Paths

T = TypeVar("T")


def in_thread(work: Callable[[], T], /) -> Deferred[T]:
    return deferToThread(work)


class RealStore:
    """The store as the service has it; `buildah` is a way for another tool to touch it."""

    def __init__(self, directory: Path, programs: Programs | None = None) -> None:
        self.paths = Paths(directory / "root", directory / "run")
        self.paths.prepare()
        self.address: StoreAddress = prepare_store(self.paths)
        self.programs = programs or Programs(reactor)
        self.files = StoreFiles(self.address.root, self.address.runroot)
        self.reader = StoreReader(self.files, in_thread)
        self.spool = Spool(self.paths.spool, in_thread)
        self.spool.clean()
        skopeo, buildah = Skopeo(self.programs, self.address), Buildah(self.programs, self.address, self.paths.spool)
        self.orphans = Orphans(self.files, skopeo, buildah, self.spool, in_thread)
        self.copies = Copies(self.paths.copies, self.orphans.remove, in_thread)
        self.store = ImageStore(
            self.reader,
            skopeo,
            buildah,
            self.spool,
            in_thread,
            TimedLock("image store", reactor, 60),
            lambda: self.copies,
            lambda: Save(self.reader, skopeo, self.spool, in_thread),
        )

    def buildah(self, *arguments: str) -> str:
        root, run = str(self.address.root), str(self.address.runroot)
        command = ["buildah", "--root", root, "--runroot", run, "--storage-driver", "overlay", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def unmount(self) -> None:
        """skopeo leaves the store's overlay directory mounted on itself."""
        unmount_now(self.address.root / "overlay", detach=True)


@asynccontextmanager
async def real_store(directory: Path, programs: Programs | None = None) -> AsyncIterator[RealStore]:
    made = RealStore(directory, programs)
    try:
        yield made
        assert list(made.paths.spool.iterdir()) == [], "ROOT/tmp is not empty"
    finally:
        made.unmount()
