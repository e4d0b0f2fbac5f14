"""The ports on this machine, built by constructor on the files of one root."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from apiserver.config.host import read_host
from apiserver.config.host.programs import VersionCache
from apiserver.daemon.engine import Ports
from apiserver.daemon.rlimits import raise_open_files
from apiserver.deferreds import TimedLock
from apiserver.drivers.buildah import Buildah
from apiserver.drivers.containers_storage import StoreFiles
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.process import Programs
from apiserver.drivers.skopeo import Skopeo
from apiserver.drivers.threads import Threads
from apiserver.drivers.versions import Versions
from apiserver.engine.containers.collaborators import Background
from apiserver.engine.ports.host import HostFacts, HostFigures
from apiserver.local.guard import LocalGuard
from apiserver.local.host import host_facts
from apiserver.local.images.pulled import PulledFile
from apiserver.local.images.reader import StoreReader
from apiserver.local.images.spool import Spool
from apiserver.local.images.store import ImageStore, prepare_store
from apiserver.local.logs.service import LocalLogs
from apiserver.local.networks.service import LocalNetworks
from apiserver.local.paths import Paths
from apiserver.local.publish import LocalPublisher
from apiserver.local.records.sqlite import SqliteRecords
from apiserver.local.runs.service import LocalRuns
from apiserver.local.runs.stepping_out import step_out
from apiserver.local.streams.service import LocalStreams
from apiserver.local.volumes import LocalVolumes

if TYPE_CHECKING:
    from apiserver.engine.ports.registry import Registry
    from apiserver.local.images.copies import Copies
    from apiserver.local.images.save import Save

STORE_LIMIT = 3600.0
"""Seconds that one change of the image store waits for the others."""


def open_ports(paths: Paths, reactor: Any, registry_timeout: float | None = None) -> Ports:
    """The lock on the root is held; blocks for some milliseconds, at start-up.

    Args:
        registry_timeout: seconds without a byte after which a registry is given up; None for the default.
    """
    host = read_host()
    raise_open_files()  # only now: what containers may have by default is what we were started with
    step_out(Cgroups(host.hierarchies))
    programs = Programs(reactor)
    versions = Versions(programs, VersionCache(paths.runroot / "versions.json"))
    threads = Threads(reactor)
    records = SqliteRecords(paths.root / "state.sqlite", reactor)
    images, registry, tidy = _images(paths, programs, reactor, registry_timeout)
    runs = LocalRuns(reactor=reactor, paths=paths, host=host, programs=programs, layers=images)

    logs = LocalLogs(reactor, paths)
    guard = LocalGuard(paths, programs, threads, Cgroups(runs.machine.monitor_hierarchies))

    def let_go() -> None:
        runs.close()
        logs.close()

    def facts() -> HostFacts:
        return host_facts(host, runs.machine, paths, versions.known(host.programs))

    async def measure() -> HostFigures:
        from apiserver.local import figures

        return await threads.run(figures.measure, paths, host.programs)

    return Ports(
        records=records,
        runs=runs,
        streams=LocalStreams(reactor, runs),
        logs=logs,
        images=images,
        networks=LocalNetworks(paths, programs, reactor, guard),
        publisher=LocalPublisher(),
        volumes=LocalVolumes(paths, threads),
        guard=guard,
        host=facts,
        registry=registry,
        ask_versions=lambda: versions.ask(host.programs),
        measure=measure,
        tidy=tidy,
        let_go=let_go,
    )


def _images(
    paths: Paths, programs: Programs, reactor: Any, registry_timeout: float | None
) -> tuple[ImageStore, Callable[[], Registry], Callable[[Background], None]]:
    def in_thread(work: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    address = prepare_store(paths)
    spool = Spool(paths.spool, in_thread)
    spool.clean()
    files = StoreFiles(address.root, address.runroot)
    pulled = PulledFile(paths.pulled)
    reader = StoreReader(files, in_thread, pulled)
    skopeo = Skopeo(programs, address)
    buildah = Buildah(programs, address, paths.spool)

    @cache
    def copies() -> Copies:
        from apiserver.local.images.copies import Copies
        from apiserver.local.images.orphans import Orphans

        return Copies(paths.copies, Orphans(files, skopeo, buildah, spool, in_thread).remove, in_thread)

    @cache
    def save() -> Save:
        from apiserver.local.images.save import Save

        return Save(reader, skopeo, spool, in_thread)

    images = ImageStore(
        reader,
        skopeo,
        buildah,
        spool,
        in_thread,
        TimedLock("the image store", reactor, STORE_LIMIT),
        copies,
        save,
    )

    @cache
    def registry() -> Registry:
        from apiserver.local.registries.calls import registry_files
        from apiserver.local.registries.platforms import host_platform
        from apiserver.local.registries.service import SILENCE_LIMIT, LocalRegistry

        limit = SILENCE_LIMIT if registry_timeout is None else registry_timeout
        return LocalRegistry(
            skopeo,
            programs,
            registry_files(),
            reader,
            images,
            pulled,
            spool,
            in_thread,
            reactor,
            host_platform(),
            copies(),
            limit,
        )

    def tidy(background: Background) -> None:
        async def clear_up() -> None:
            from apiserver.local.registries.promised import hold_to

            with background.hold("removing what is left of a copy"):
                await copies().after_death(lambda promised: hold_to(promised, reader, images))

        if paths.copies.is_dir() and any(paths.copies.iterdir()):
            Deferred.fromCoroutine(clear_up())

    return images, registry, tidy
