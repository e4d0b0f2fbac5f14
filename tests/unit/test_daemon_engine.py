"""The engine of one root: what it lets go of, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from apiserver.daemon.engine import LAST_LOOK_LIMIT, LocalEngine, Ports
from apiserver.engine.containers.reconcile import Reconcile
from apiserver.local.paths import Paths
from apiserver.local.records.lock import RootLock
from tests.fakes.guard import FakeGuard
from tests.fakes.images import FakeImageSource
from tests.fakes.networks import FakeNetworks
from tests.fakes.records import MemoryRecords
from tests.fakes.registry import FakeRegistry
from tests.support.api import HOST_FACTS
from tests.support.engine import Engine, result_of


class World:
    """An engine over ports in memory, and what was let go of in which order."""

    def __init__(self, directory: Path) -> None:
        self._root = directory / "root"
        self.clock = Clock()
        self.order: list[str] = []
        self.networks = FakeNetworks()
        self.engine = LocalEngine(Paths(self._root, directory / "run"), self.clock, self._ports)
        result_of(Deferred.fromCoroutine(self.engine.start()))

    def free(self) -> bool:
        other = RootLock(self._root)
        taken = other.try_acquire()
        other.release()
        return taken

    def _ports(self, paths: Paths, reactor: Any) -> Ports:
        double, world = Engine(), self

        class Records(MemoryRecords):
            async def close(self) -> None:
                world.order.append(f"records closed, root free: {world.free()}")

        return Ports(
            records=Records(),
            runs=double.runs,
            streams=Any,  # type: ignore[arg-type]  # nobody is connected
            logs=double.logs,
            images=FakeImageSource(),
            networks=self.networks,
            publisher=Any,  # type: ignore[arg-type]  # nothing is started
            volumes=double.volumes._source,
            guard=FakeGuard(double.machine),
            host=lambda: HOST_FACTS,
            registry=lambda: FakeRegistry(FakeImageSource()),
            let_go=lambda: self.order.append(f"let go, networks ended: {self.networks.ended}"),
        )


def test_what_is_heard_of_after_the_end_is_not_looked_at_and_the_root_is_free_last(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert not world.free()
    assert (world.networks.begun, world.networks.ended) == (True, False)
    result_of(Deferred.fromCoroutine(world.engine.stop()))
    assert world.order == ["let go, networks ended: True", "records closed, root free: False"]
    assert world.free()


def test_an_end_that_cannot_be_settled_does_not_keep_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever(_: Reconcile) -> None:
        await Deferred[None]()

    world = World(tmp_path)
    monkeypatch.setattr(Reconcile, "last_look", for_ever)
    with capturedLogs():
        stopping = Deferred.fromCoroutine(world.engine.stop())
        assert (stopping.called, world.networks.ended) == (False, False)
        world.clock.advance(LAST_LOOK_LIMIT)
    assert (stopping.called, world.networks.ended, world.free()) == (True, True, True)
