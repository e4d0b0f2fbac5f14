"""The engine of containers over this machine's own ports: real processes, real files, real state."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults

from apiserver.engine.containers.model import State
from apiserver.engine.containers.options import ContainerOptions, Lifecycle, Process
from apiserver.engine.containers.registry import Registry
from apiserver.engine.containers.services import Containers, build_containers
from apiserver.engine.containers.wait import Condition
from apiserver.engine.events.log import EventLog
from apiserver.engine.locks import Locks
from apiserver.engine.ports.host import HostFacts
from apiserver.engine.ports.runs import StartFailed
from apiserver.engine.ports.streams import ProcessStreams, Stream
from apiserver.engine.volumes.service import Volumes
from apiserver.local.records.sqlite import SqliteRecords
from tests.fakes.gates import Gates
from tests.fakes.guard import FakeGuard
from tests.fakes.machine import Machine
from tests.fakes.volumes import FakeVolumeSource
from tests.support.engine import HoldsDouble, ImagesDouble, NetworksDouble, PublisherDouble
from tests.support.local_runs import Rig, shell

reactor: Any = global_reactor


@dataclass
class Service:
    """One life of the service: what it has in memory goes with it."""

    rig: Rig
    containers: Containers
    records: SqliteRecords
    events: EventLog

    async def ends(self) -> None:
        """As if it were killed: nothing is told to anybody."""
        self.rig.runs.close()
        self.rig.logs.close()
        await self.records.close()

    async def run(self, options: ContainerOptions) -> tuple[int | None, bytes, bytes]:
        """As `docker run` does it: create, attach, wait, start."""
        container = await self.containers.create.create(None, "busybox", options)
        streams = await self.containers.attach.attach(container.id, stdout=True, stderr=True)
        condition = Condition.REMOVED if options.lifecycle.auto_remove else Condition.NEXT_EXIT
        ended = self.containers.wait.watch(container.id, condition)
        await self.containers.start.start(container.id)
        said = await read_all(streams)
        streams.close()
        return (await ended).code, said[Stream.STDOUT], said[Stream.STDERR]

    async def told(self) -> list[str]:
        return [row.action.value for row in await self.records.events(after=0, since=None, until=None)]


async def read_all(streams: ProcessStreams) -> dict[Stream, bytes]:
    said = {Stream.STDOUT: b"", Stream.STDERR: b""}
    while (piece := await streams.read()) is not None:
        said[piece[0]] += piece[1]
    return said


def service(rig: Rig) -> Service:
    records = SqliteRecords(rig.paths.root / "state.sqlite", reactor)
    remembered = records.remembered()
    registry, locks, events = Registry(remembered.containers), Locks(reactor), EventLog(records, reactor)
    machine, gates = Machine(reactor), Gates()
    volumes = Volumes((), FakeVolumeSource(machine), events, locks, registry.users_of_volume, reactor, HoldsDouble())
    host = HostFacts("h", "", "", "", 2, 1 << 30, "2", "cgroupfs", "overlay", "/", boot_id="boot")
    containers = build_containers(
        registry=registry,
        remembered=remembered,
        journal=events,
        locks=locks,
        runs=rig.runs,
        streams=rig.streams,
        logs=rig.logs,
        publisher=PublisherDouble(machine, gates),
        images=ImagesDouble(),
        networks=NetworksDouble(machine, gates, remembered.containers),
        volumes=volumes,
        guard=FakeGuard(machine),
        background=HoldsDouble(),
        host=host,
        clock=reactor,
        wall_clock=reactor,
    )
    return Service(rig, containers, records, events)


@pytest.fixture
def rig(tmp_path: Path) -> Any:
    rig = Rig(reactor, tmp_path)
    yield rig

    async def clear() -> None:
        for container_id in await rig.runs.strangers(frozenset()):
            await rig.runs.forget(container_id)
        await rig.clear()

    pytest_twisted.blockon(Deferred.fromCoroutine(clear()))


async def all_removed(one: Service) -> None:
    for container in one.containers.registry.all():
        await one.containers.remove.remove(container.id, force=True)
    assert sorted(os.listdir(one.rig.paths.runs)) == []
    assert sorted(os.listdir(one.rig.paths.containers)) == []
    await one.ends()


@pytest_twisted.ensureDeferred
async def test_output_and_code_of_a_run_are_whole_and_it_removes_itself(rig: Rig) -> None:
    one = service(rig)
    options = shell("echo out; echo err >&2; exit 7", lifecycle=Lifecycle(auto_remove=True))
    assert await one.run(options) == (7, b"out\n", b"err\n")
    assert one.containers.registry.all() == ()
    assert await one.told() == ["create", "attach", "init", "start", "died", "destroy"]
    await all_removed(one)


@pytest_twisted.ensureDeferred
async def test_many_at_once_each_have_their_own(rig: Rig) -> None:
    one = service(rig)
    wanted = [one.run(shell(f"echo {n}; exit {n}", lifecycle=Lifecycle(auto_remove=True))) for n in range(8)]
    got = await gatherResults([Deferred.fromCoroutine(work) for work in wanted], consumeErrors=True)
    assert got == [(n, b"%d\n" % n, b"") for n in range(8)]
    await all_removed(one)


@pytest_twisted.ensureDeferred
async def test_a_program_that_is_not_there_is_127_and_nothing_is_left(rig: Rig) -> None:
    one = service(rig)
    options = replace(shell(""), process=Process(command=("/nope",), working_dir="/"))
    container = await one.containers.create.create("box", "busybox", options)
    with pytest.raises(StartFailed) as failed:
        await one.containers.start.start("box")
    assert failed.value.exit_code == 127
    run = one.containers.registry.by_id(container.id).run
    assert run is not None
    assert (run.exit_code, run.ended, run.plan) == (127, True, {})
    assert os.listdir(rig.paths.runs) == []
    await all_removed(one)


@pytest_twisted.ensureDeferred
async def test_stop_kills_what_ignores_the_signal(rig: Rig) -> None:
    one = service(rig)
    await one.containers.create.create("box", "busybox", shell("trap '' TERM; while :; do sleep 1; done"))
    await one.containers.start.start("box")
    before = time.monotonic()
    await one.containers.stop.stop("box", 0.5)
    assert 0.4 < time.monotonic() - before < 10
    run = one.containers.registry.get("box").run
    assert run is not None
    assert run.exit_code == 137
    await one.containers.start.start("box")
    await one.containers.kill.kill("box")
    assert one.containers.registry.get("box").state is State.EXITED
    await all_removed(one)


@pytest_twisted.ensureDeferred
async def test_exec_has_output_and_code_and_ends_with_its_container(rig: Rig) -> None:
    one = service(rig)
    await one.containers.create.create("box", "busybox", shell("sleep 1000"))
    await one.containers.start.start("box")

    async def execute(*argv: str) -> tuple[bytes, int | None]:
        session = await one.containers.execs.create("box", argv, attach_stdout=True)
        streams = await one.containers.execs.start(session.id)
        assert streams is not None
        said = await read_all(streams)
        streams.close()
        return said[Stream.STDOUT], one.containers.execs.get(session.id).exit_code

    assert await execute("/bin/sh", "-c", "echo in; exit 5") == (b"in\n", 5)
    with pytest.raises(StartFailed, match="nope"):
        await execute("/nope")
    session = await one.containers.execs.create("box", ("/bin/sleep", "1000"))
    assert await one.containers.execs.start(session.id, detach=True) is None
    before = time.monotonic()
    await one.containers.kill.kill("box")
    assert time.monotonic() - before < 5
    assert one.containers.execs.get(session.id).exit_code == 137
    await all_removed(one)


@pytest_twisted.ensureDeferred
async def test_the_next_service_finds_what_runs_and_what_has_ended(rig: Rig) -> None:
    one = service(rig)
    for name, script in (("runs", "sleep 1000"), ("ends", "sleep 1; exit 9")):
        await one.containers.create.create(name, "busybox", shell(script))
        await one.containers.start.start(name)
    removes_itself = await one.containers.create.create(
        "rm", "busybox", shell("exit 4", lifecycle=Lifecycle(auto_remove=True))
    )
    before = datetime.now(UTC)
    await one.ends()
    rig.start_service()
    time.sleep(1.5)  # nobody of the service is there to notice
    two = service(rig)
    await two.containers.reconcile.run()
    ended = two.containers.registry.get("ends")
    assert ended.run is not None
    assert ended.run.finished is not None
    assert (ended.state, ended.run.exit_code) == (State.EXITED, 9)
    assert before < ended.run.finished < datetime.now(UTC)
    assert two.containers.registry.get("runs").state is State.RUNNING
    assert two.containers.registry.get(removes_itself.id).state is State.CONFIGURED
    assert (await two.told()).count("died") == 1
    waits = two.containers.wait.watch("runs", Condition.NEXT_EXIT)
    run = two.containers.registry.get("runs").run
    assert run is not None
    assert run.pid is not None
    os.kill(run.pid, signal.SIGKILL)
    assert (await waits).code == 137
    await all_removed(two)
