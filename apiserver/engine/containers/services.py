"""All services of containers, built with their collaborators."""

from __future__ import annotations

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from apiserver.engine.containers.attach import Attach
from apiserver.engine.containers.collaborators import (
    Background,
    ContainerNetworks,
    ImagesInUse,
    Journal,
    VolumesInUse,
)
from apiserver.engine.containers.create import Create
from apiserver.engine.containers.execs import Execs
from apiserver.engine.containers.exits import Exits
from apiserver.engine.containers.inspect import Inspect
from apiserver.engine.containers.kill import Kill
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.logs import Logs
from apiserver.engine.containers.reconcile import BOOT_ID, Reconcile
from apiserver.engine.containers.registry import Registry
from apiserver.engine.containers.removal import Removal
from apiserver.engine.containers.remove import Remove
from apiserver.engine.containers.rename import Rename
from apiserver.engine.containers.resize import Resize
from apiserver.engine.containers.restart import Restart
from apiserver.engine.containers.sizes import Sizes
from apiserver.engine.containers.start import Start
from apiserver.engine.containers.stop import Stop
from apiserver.engine.containers.top import Top
from apiserver.engine.containers.undo import Undo
from apiserver.engine.containers.wait import Wait
from apiserver.engine.locks import Locks
from apiserver.engine.ports.guard import Guard
from apiserver.engine.ports.host import HostFacts
from apiserver.engine.ports.logs import LogSource
from apiserver.engine.ports.publish import PortPublisher
from apiserver.engine.ports.records import Remembered
from apiserver.engine.ports.runs import Runs
from apiserver.engine.ports.streams import Streams


class Containers(Struct, frozen=True):
    """Names or ids are taken as clients write them, everywhere."""

    registry: Registry
    create: Create
    start: Start
    stop: Stop
    kill: Kill
    restart: Restart
    remove: Remove
    rename: Rename
    wait: Wait
    logs: Logs
    attach: Attach
    resize: Resize
    execs: Execs
    sizes: Sizes
    inspect: Inspect
    top: Top
    reconcile: Reconcile


def build_containers(
    *,
    registry: Registry,
    remembered: Remembered,
    journal: Journal,
    locks: Locks,
    runs: Runs,
    streams: Streams,
    logs: LogSource,
    publisher: PortPublisher,
    images: ImagesInUse,
    networks: ContainerNetworks,
    volumes: VolumesInUse,
    guard: Guard,
    background: Background,
    host: HostFacts,
    clock: IReactorTime,
    wall_clock: IReactorTime,
) -> Containers:
    """
    Args:
        registry: filled with the remembered containers; images and volumes ask it who uses them.
        clock: for time limits.
        wall_clock: whose `seconds()` is the time of day.
    """
    ledger = Ledger(registry, journal, guard, wall_clock)
    undo = Undo(runs, networks)
    wait = Wait(registry, remembered.exit_codes, wall_clock)
    read = Logs(registry, logs)
    attach = Attach(ledger, streams, read)
    execs = Execs(ledger, locks, streams, clock, remembered.execs)
    removal = Removal(ledger, runs, undo, volumes, execs, attach, wait)
    exits = Exits(ledger, locks, runs, undo, logs, execs, attach, wait, removal, background, clock)
    runs.news(exits.news)
    stop = Stop(ledger, locks, runs, exits, background)
    kill = Kill(ledger, locks, runs, exits, clock)
    start = Start(ledger, locks, runs, networks, publisher, images, volumes, attach, undo, exits, removal, wait)
    recorded_boot = remembered.settings.get(BOOT_ID)
    return Containers(
        registry=registry,
        create=Create(ledger, locks, runs, images, networks, volumes, host),
        start=start,
        stop=stop,
        kill=kill,
        restart=Restart(ledger, exits, stop, start, background),
        remove=Remove(ledger, locks, kill, stop, removal),
        rename=Rename(ledger, locks),
        wait=wait,
        logs=read,
        attach=attach,
        resize=Resize(ledger, streams, attach),
        execs=execs,
        sizes=Sizes(runs, images),
        inspect=Inspect(runs, images),
        top=Top(ledger, runs, wait, clock),
        reconcile=Reconcile(
            ledger,
            locks,
            runs,
            networks,
            undo,
            exits,
            removal,
            execs,
            recorded_boot if isinstance(recorded_boot, str) else "",
            host.boot_id,
        ),
    )
