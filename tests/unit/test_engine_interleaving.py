"""Any requests at once, in any order of their steps: what remains is whole."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from apiserver.engine.containers.model import State
from apiserver.engine.containers.options import Lifecycle, Network
from apiserver.engine.containers.wait import Condition
from apiserver.engine.ports.publish import PortRequest
from apiserver.engine.ports.runs import RunKey
from apiserver.errors import Conflict, InvalidParameter, NotFound, NotModified
from tests.fakes.machine import Phase
from tests.support.engine import TRUE, Engine, result_of, spawn

PUBLISHED = replace(TRUE, network=Network(ports=(PortRequest(80),)))

Request = Callable[[Engine], Coroutine[Any, Any, object]]


async def exec_in_it(engine: Engine) -> None:
    session = await engine.containers.execs.create("box", ("ls",))
    await engine.containers.execs.start(session.id, detach=True)


async def end_by_itself(engine: Engine) -> None:
    for key in list(engine.machine.runs):
        if engine.machine.runs[key].phase is Phase.RUNNING:
            engine.machine.exit(key, 3)


async def rename(engine: Engine, old: str, new: str) -> None:
    with suppress(InvalidParameter):  # another rename gave it that name while this one waited
        await engine.containers.rename.rename(old, new)


REQUESTS: dict[str, Request] = {
    "start": lambda e: e.containers.start.start("box"),
    "stop": lambda e: e.containers.stop.stop("box", 0),
    "stop politely": lambda e: e.containers.stop.stop("box", None),
    "kill": lambda e: e.containers.kill.kill("box"),
    "hup": lambda e: e.containers.kill.kill("box", "USR1"),
    "restart": lambda e: e.containers.restart.restart("box"),
    "remove": lambda e: e.containers.remove.remove("box"),
    "remove by force": lambda e: e.containers.remove.remove("box", force=True),
    "create": lambda e: e.containers.create.create("box", "busybox", PUBLISHED),
    "attach": lambda e: e.containers.attach.attach("box", stdout=True),
    "exec": exec_in_it,
    "end": end_by_itself,
    "rename": lambda e: rename(e, "box", "crate"),
    "rename back": lambda e: rename(e, "crate", "box"),
}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    requests=st.lists(st.sampled_from(sorted(REQUESTS)), min_size=2, max_size=8),
    auto_remove=st.booleans(),
    choices=st.lists(st.integers(0, 100), min_size=300, max_size=300),
)
def test_whatever_comes_together_nothing_is_started_twice_left_over_or_stuck(
    requests: list[str], auto_remove: bool, choices: list[int]
) -> None:
    engine = Engine()
    engine.create(replace(PUBLISHED, lifecycle=Lifecycle(auto_remove=auto_remove)))
    removed = engine.containers.wait.watch("box", Condition.REMOVED)
    queue: list[Deferred[None]] = []
    engine.gates.queue = queue
    unexpected: list[object] = []

    def ask(name: str) -> Deferred[object]:
        answer: Deferred[object] = spawn(REQUESTS[name](engine))
        # A state or a name in the way is an answer too; anything else is a fault of ours.
        answer.addErrback(lambda failure: failure.trap(Conflict, NotFound, NotModified))
        return answer.addErrback(unexpected.append)

    answers: list[Deferred[object]] = []
    coming = list(requests)
    for choice in choices:
        if coming and (not queue or choice % 3 == 0):
            answers.append(ask(coming.pop(0)))
        elif queue:
            queue.pop(choice % len(queue)).callback(None)
        else:
            break
    engine.gates.queue = None
    while queue:
        queue.pop(0).callback(None)
    answers += [ask(name) for name in coming]
    for _ in range(4):
        engine.clock.advance(1)  # for the last word of an exec
    # A polite stop without a time-out may wait for a process of a later run only if it ignored the signal: none does.
    assert [answer for answer in answers if not answer.called] == []
    assert unexpected == []
    assert engine.locks.held() == ()
    assert engine.holds.active == []
    assert all(times == 1 for times in engine.machine.starts.values())
    running = {key for key, process in engine.machine.runs.items() if process.phase is Phase.RUNNING}
    shown = {RunKey(c.id, c.run.number) for c in engine.registry.all() if c.alive and c.run is not None}
    assert set(engine.machine.runs) == running == shown
    assert engine.machine.networks == {(key.container_id, key.number) for key in running} == engine.networks.leases
    assert engine.machine.ports == []
    assert {c.state for c in engine.registry.all()} <= {State.CONFIGURED, State.RUNNING, State.EXITED}
    assert dict(engine.records.containers) == {c.id: c for c in engine.registry.all()}
    for container in engine.registry.all():
        done = spawn(engine.containers.remove.remove(container.id, force=True))
        engine.clock.advance(1)
        result_of(done)
    assert engine.nothing_is_left()
    assert removed.called
