"""The engine of one root: what it lets go of, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.daemon.engine import LocalEngine, Ports
from apiserver.local.paths import Paths
from apiserver.local.records.lock import RootLock
from tests.fakes.guard import FakeGuard
from tests.fakes.images import FakeImageSource
from tests.fakes.networks import FakeNetworks
from tests.fakes.records import MemoryRecords
from tests.fakes.registry import FakeRegistry
from tests.support.api import HOST_FACTS
from tests.support.engine import Engine, result_of


def test_what_is_heard_of_after_the_end_is_not_looked_at_and_the_root_is_free_last(tmp_path: Path) -> None:
    order: list[str] = []
    double = Engine()

    class Records(MemoryRecords):
        async def close(self) -> None:
            order.append(f"records closed, root free: {free()}")

    networks = FakeNetworks()

    def free() -> bool:
        other = RootLock(tmp_path / "root")
        taken = other.try_acquire()
        other.release()
        return taken

    def ports(paths: Paths, reactor: Any) -> Ports:
        return Ports(
            records=Records(),
            runs=double.runs,
            streams=Any,  # type: ignore[arg-type]  # nobody is connected
            logs=double.logs,
            images=FakeImageSource(),
            networks=networks,
            publisher=Any,  # type: ignore[arg-type]  # nothing is started
            volumes=double.volumes._source,
            guard=FakeGuard(double.machine),
            host=lambda: HOST_FACTS,
            registry=lambda: FakeRegistry(FakeImageSource()),
            let_go=lambda: order.append(f"let go, networks ended: {networks.ended}"),
        )

    engine = LocalEngine(Paths(tmp_path / "root", tmp_path / "run"), Clock(), ports)
    result_of(Deferred.fromCoroutine(engine.start()))
    assert not free()
    assert (networks.begun, networks.ended) == (True, False)
    result_of(Deferred.fromCoroutine(engine.stop()))
    assert order == ["let go, networks ended: True", "records closed, root free: False"]
    assert free()
