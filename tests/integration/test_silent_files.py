"""Files of somebody who does not answer, as of a file server that is down: nobody else waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Any, cast

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from apiserver.drivers.threads import Threads, Unanswered
from apiserver.engine.containers.model import ExecSession
from apiserver.engine.containers.options.mounts import Mount, MountKind, Mounts
from apiserver.local.runs import bundle, service, top
from apiserver.local.streams import sessions
from apiserver.local.streams.exec_process import exec_process
from tests.integration.local_rig import rig
from tests.support.local_runs import Rig, shell

__all__ = ["rig"]


def silent(function: Callable[..., Any]) -> Callable[..., Any]:
    """Answers as soon as the reactor does something else, and fails where that only waits for the answer."""

    def called(*arguments: Any) -> Any:
        answered = Event()
        cast(IReactorFromThreads, reactor).callFromThread(answered.set)
        assert answered.wait(10), "the reactor itself waits for these files"
        return function(*arguments)

    return called


def bound(tmp_path: object) -> Any:
    return shell("cat /b/hello", mounts=Mounts(mounts=(Mount(MountKind.BIND, "/b", str(tmp_path)),)))


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("module", "name"), [(service, "check_sources"), (bundle, "make_sources"), (bundle, "make_targets")]
)
async def test_the_source_of_a_bind_holds_up_its_container_alone(
    rig: Rig, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> None:
    (tmp_path / "hello").write_text("hello")
    monkeypatch.setattr(module, name, silent(getattr(module, name)))
    options = bound(tmp_path)
    assert await rig.runs.warnings(options) == ()
    assert (await rig.run(options)).text == "hello"


@pytest_twisted.ensureDeferred
async def test_what_a_container_has_mounted_holds_up_its_exec_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    monkeypatch.setattr(sessions, "exec_process", silent(exec_process))
    session = ExecSession("e" * 64, made.key.container_id, made.key.number, datetime.now(UTC), ("true",))
    session = replace(session, plan=rig.streams.plan_exec(made.plan, session))
    await rig.streams.start_exec(made.plan, session, attach=False)
    assert await rig.streams.exec_end(made.plan, session) == 0


@pytest_twisted.ensureDeferred
async def test_looks_at_processes_that_get_no_answer_take_no_thread_from_others(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    answered = Event()
    monkeypatch.setattr(top, "facts", lambda *_: answered.wait(20) and ())
    looks = [Deferred.fromCoroutine(rig.runs.processes(made.plan)) for _ in range(25)]
    try:
        free = Deferred.fromCoroutine(rig.runs.threads.run(int, "7"))
        assert await free.addTimeout(5, cast(IReactorTime, reactor)) == 7
    finally:
        answered.set()
    assert [await look for look in looks] == [()] * 25


@pytest_twisted.ensureDeferred
async def test_an_answer_that_does_not_come_is_given_up() -> None:
    threads = Threads(reactor, answer=0.1)
    begun = time.monotonic()
    with pytest.raises(Unanswered, match="/mnt/files"):
        await threads.ask("/mnt/files", time.sleep, 5)
    assert time.monotonic() - begun < 4
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.ask("/mnt/files", int, "x")
    assert await threads.ask("/mnt/files", int, "7") == 7
