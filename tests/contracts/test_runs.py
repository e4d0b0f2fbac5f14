"""One suite for runs on a machine in memory and on this one, with what the engine relies on."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from apiserver.engine.containers.model import ExecSession
from apiserver.engine.containers.options import ContainerOptions, Logging, Network, Process
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.processes import ProcessFacts
from apiserver.engine.ports.publish import HeldPorts
from apiserver.engine.ports.runs import (
    CommandUnusable,
    Found,
    NotRunning,
    RunEnd,
    RunKey,
    Runs,
    RunSpec,
    Started,
    StartFailed,
)
from apiserver.engine.ports.streams import ExecStarted, Stream, Streams
from apiserver.errors import InvalidParameter, PsRefused
from apiserver.jsonvalue import JsonObject
from tests.fakes.machine import Machine
from tests.fakes.runs import FakeRuns, key_of
from tests.fakes.streams import FakeStreamSource
from tests.support.engine import NOON
from tests.support.local_runs import Rig

reactor: Any = global_reactor

ENDS = ("/bin/sh", "-c", "exit 3")
SAYS = ("/bin/sh", "-c", "echo hello; exit 0")
SLEEPS = ("/bin/sleep", "1000")
DEAF = ("/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
WRITES = ("/bin/sh", "-c", "printf 12345 >/written")
NOWHERE = ("/nope",)


class ActingRuns(FakeRuns):
    """The fake with processes that do what those of this suite do."""

    async def create(self, spec: RunSpec, plan: JsonObject, held: HeldPorts | None) -> int | None:
        if spec.options.process.argv == NOWHERE:
            raise CommandUnusable("/nope: not found", 127)
        pid = await super().create(spec, plan, held)
        if spec.options.process.argv == DEAF:
            self._machine.runs[spec.key].deaf_to = frozenset({15})
        return pid

    async def start(self, plan: JsonObject) -> Started:
        started = await super().start(plan)
        key = key_of(plan)
        process, argv = self._machine.runs[key], self._argv(key)
        if argv == SAYS:
            process.say(b"hello\n")
        if argv == DEAF:
            process.say(b"ready\n")
        if argv == WRITES:
            self._machine.written[key.container_id] = 5
        if argv in (ENDS, SAYS, WRITES):
            self._machine.exit(key, 3 if argv == ENDS else 0)
        return started

    def _argv(self, key: RunKey) -> tuple[str, ...]:
        return next(spec.options.process.argv for spec in self.specs if spec.key == key)


class ActingStreams(FakeStreamSource):
    async def start_exec(self, run_plan: JsonObject, session: ExecSession, *, attach: bool) -> ExecStarted:
        if session.argv == NOWHERE:
            raise StartFailed("/nope: not found", 127)
        started = await super().start_exec(run_plan, session, attach=attach)
        if session.argv == SAYS:
            self._machine.execs[session.id].say(b"hello\n")
            self._machine.execs[session.id].finish(RunEnd(0, self._machine.now()))
        return started


class Place:
    """Where runs are made; `news` are kept, and can be waited for."""

    def __init__(self, runs: Runs, streams: Streams) -> None:
        self.runs = runs
        self.streams = streams
        self.heard: list[RunKey] = []
        self._waiting: dict[RunKey, Deferred[None]] = {}
        self.made: list[JsonObject] = []
        runs.news(self._hear)

    def _hear(self, key: RunKey) -> None:
        self.heard.append(key)
        if (waiting := self._waiting.pop(key, None)) is not None:
            waiting.callback(None)

    async def gone(self, key: RunKey) -> None:
        if key not in self.heard:
            self._waiting[key] = Deferred()
            await self._waiting[key]

    def spec(self, argv: Sequence[str], **process: Any) -> tuple[RunSpec, JsonObject]:
        options = ContainerOptions(
            process=Process(command=tuple(argv), working_dir="/", **process), network=Network(mode="none")
        )
        key = RunKey(secrets.token_hex(32), 1)
        runtime = self.runs.choose_runtime("")
        plan = self.runs.plan(key, options, runtime)
        self.made.append(plan)
        return RunSpec(key, "box", "f" * 64, options, runtime), plan

    async def created(self, argv: Sequence[str], **process: Any) -> tuple[RunKey, JsonObject]:
        spec, plan = self.spec(argv, **process)
        await self.runs.create(spec, plan, None)
        return spec.key, plan

    async def started(self, argv: Sequence[str]) -> tuple[RunKey, JsonObject]:
        key, plan = await self.created(argv)
        await self.runs.start(plan)
        return key, plan

    async def executed(self, plan: JsonObject, argv: Sequence[str]) -> ProcessFacts:
        """The only process of a run, once it is what was asked for: a start leaves the runtime on its way there."""
        deadline = time.monotonic() + 20
        while True:
            (first,) = await self.runs.processes(plan)
            if first.arguments == tuple(argv):
                return first
            assert time.monotonic() < deadline, first.arguments
            await deferLater(reactor, 0.01)


@pytest.fixture(params=["memory", "this machine"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Place, None, None]:
    if request.param == "memory":
        machine = Machine(Clock())
        yield Place(ActingRuns(machine), ActingStreams(machine))
        return
    rig = Rig(reactor, tmp_path)
    made = Place(rig.runs, rig.streams)
    yield made

    async def clear() -> None:
        for plan in made.made:
            await rig.runs.discard(plan)
            await rig.runs.forget(str(plan["container"]))
        await rig.clear()

    pytest_twisted.blockon(Deferred.fromCoroutine(clear()))


@pytest_twisted.ensureDeferred
async def test_a_run_ends_once_with_its_code(place: Place) -> None:
    key, plan = await place.started(ENDS)
    await place.gone(key)
    end = await place.runs.end(plan)
    assert (end.exit_code, end.oom_killed) == (3, False)
    await place.runs.discard(plan)
    assert place.heard == [key]


@pytest_twisted.ensureDeferred
async def test_a_plan_names_its_run_and_makes_nothing(place: Place) -> None:
    spec, plan = place.spec(SLEEPS)
    assert plan
    found = await place.runs.survey({spec.key: plan})
    assert found == {spec.key: Found.NOTHING}
    assert await place.runs.strangers(frozenset()) == frozenset()
    await place.runs.discard(plan)


@pytest_twisted.ensureDeferred
async def test_a_survey_tells_created_running_ended_and_nothing_apart(place: Place) -> None:
    created, running, ended = (await place.created(SLEEPS), await place.started(SLEEPS), await place.started(ENDS))
    await place.gone(ended[0])
    await place.runs.end(ended[1])
    assert await place.runs.survey(dict([created, running, ended])) == {
        created[0]: Found.CREATED,
        running[0]: Found.RUNNING,
        ended[0]: Found.ENDED,
    }
    for key, plan in (created, running, ended):
        await place.runs.discard(plan)
        assert (await place.runs.survey({key: plan}))[key] is Found.NOTHING


@pytest_twisted.ensureDeferred
async def test_what_ignores_the_signal_is_killed_after_the_time_out(place: Place) -> None:
    _, plan = await place.started(DEAF)
    await place.runs.signal(plan, 28)  # SIGWINCH, which nobody minds
    await place.runs.stop(plan, 15, 0)
    assert (await place.runs.end(plan)).exit_code == 137


@pytest_twisted.ensureDeferred
async def test_a_signal_to_what_has_ended_is_not_running_and_a_stop_is_over_at_once(place: Place) -> None:
    key, plan = await place.started(ENDS)
    await place.gone(key)
    with pytest.raises(NotRunning):
        await place.runs.signal(plan, 15)
    await place.runs.stop(plan, 15, 10)


@pytest_twisted.ensureDeferred
async def test_discard_takes_away_what_runs_and_can_be_repeated(place: Place) -> None:
    key, plan = await place.started(SLEEPS)
    await place.runs.discard(plan)
    await place.runs.discard(plan)
    assert key.container_id in await place.runs.strangers(frozenset())
    await place.runs.forget(key.container_id)
    await place.runs.forget(key.container_id)
    assert await place.runs.strangers(frozenset()) == frozenset()


@pytest_twisted.ensureDeferred
async def test_a_program_that_is_not_there_is_127_and_can_be_discarded(place: Place) -> None:
    with pytest.raises(CommandUnusable) as failed:
        await place.started(NOWHERE)
    assert failed.value.exit_code == 127
    await place.runs.discard(place.made[-1])


@pytest_twisted.ensureDeferred
async def test_who_attaches_before_the_start_has_every_byte(place: Place) -> None:
    _, plan = await place.created(SAYS)
    streams = await place.streams.attach(plan)
    await place.runs.start(plan)
    assert await streams.read() == (Stream.STDOUT, b"hello\n")
    assert await streams.read() is None
    streams.close()


@pytest_twisted.ensureDeferred
async def test_nobody_attaches_to_what_is_not_there(place: Place) -> None:
    _, plan = place.spec(SLEEPS)
    with pytest.raises(NotRunning):
        await place.streams.attach(plan)


def session(plan: JsonObject, *argv: str) -> ExecSession:
    return ExecSession(secrets.token_hex(32), str(plan["container"]), 1, NOON, argv, env=("PATH=/bin",))


@pytest_twisted.ensureDeferred
async def test_an_exec_has_output_and_code_and_can_be_discarded_twice(place: Place) -> None:
    _, plan = await place.started(SLEEPS)
    one = session(plan, *SAYS)
    one = replace(one, plan=place.streams.plan_exec(plan, one))
    started = await place.streams.start_exec(plan, one, attach=True)
    assert await place.streams.exec_end(plan, one) == 0
    await place.streams.discard_exec(plan, one)
    await place.streams.discard_exec(plan, one)
    assert started.streams is not None
    assert await started.streams.read() == (Stream.STDOUT, b"hello\n")
    started.streams.close()


@pytest_twisted.ensureDeferred
async def test_an_exec_of_nothing_is_127(place: Place) -> None:
    _, plan = await place.started(SLEEPS)
    one = session(plan, *NOWHERE)
    one = replace(one, plan=place.streams.plan_exec(plan, one))
    with pytest.raises(StartFailed) as failed:
        await place.streams.start_exec(plan, one, attach=False)
    assert failed.value.exit_code == 127
    await place.streams.discard_exec(plan, one)


@pytest_twisted.ensureDeferred
async def test_what_a_container_wrote_counts_until_it_is_forgotten(place: Place) -> None:
    key, plan = await place.created(WRITES)
    assert await place.runs.written_bytes(key.container_id) == 0
    await place.runs.start(plan)
    await place.gone(key)
    assert await place.runs.written_bytes(key.container_id) == 5
    await place.runs.discard(plan)
    assert await place.runs.written_bytes(key.container_id) == 5
    await place.runs.forget(key.container_id)
    assert await place.runs.written_bytes(key.container_id) == 0


@pytest_twisted.ensureDeferred
async def test_the_processes_of_what_runs_are_told_and_of_what_has_ended_none(place: Place) -> None:
    _, plan = await place.started(SLEEPS)
    first = await place.executed(plan, SLEEPS)
    assert (first.pid, first.arguments[-1], first.parent) == (1, "1000", 0)
    table = await place.runs.ps(plan, ["-ef"])
    (row,) = table.rows
    assert (len(row), row[table.titles.index("PID")]) == (len(table.titles), str(first.host_pid))
    assert row[-1].endswith("sleep 1000")
    with pytest.raises(PsRefused):
        await place.runs.ps(plan, ["e"])
    await place.runs.discard(plan)
    with pytest.raises(NotRunning):
        await place.runs.ps(plan, ["-ef"])
    with pytest.raises(NotRunning):
        await place.runs.processes(plan)


@pytest_twisted.ensureDeferred
async def test_facts_are_told_of_what_is_made_is_running_and_is_gone(place: Place) -> None:
    spec, plan = place.spec(SLEEPS)
    before = place.runs.facts(spec.key, spec.options)
    assert (before.hosts_file, before.configuration, before.monitor_pid) == ("", "", None)
    assert before.pid_file
    assert before.directory
    await place.runs.create(spec, plan, None)
    await place.runs.start(plan)
    running = place.runs.facts(spec.key, spec.options)
    assert running.monitor_pid
    for path in (running.hosts_file, running.hostname_file, running.resolv_conf, running.configuration, running.cgroup):
        assert path.startswith("/")
    await place.runs.discard(plan)
    ended = place.runs.facts(spec.key, spec.options)
    assert (ended.configuration, ended.monitor_pid, ended.hosts_file) == ("", None, running.hosts_file)
    await place.runs.forget(spec.key.container_id)
    assert place.runs.facts(spec.key, spec.options).hosts_file == ""


def test_only_root_begins_with_capabilities_and_what_is_not_logged_has_no_log(place: Place) -> None:
    spec, _ = place.spec(SLEEPS)

    def facts(user: str) -> RunFacts:
        return place.runs.facts(spec.key, replace(spec.options, process=replace(spec.options.process, user=user)))

    assert "CAP_CHOWN" in facts("").bounding
    assert facts("").effective == facts("0:5").effective == facts("root").effective == facts("").bounding
    assert (facts("1000").effective, facts("app").effective) == ((), ())
    assert facts("1000").bounding == facts("").bounding
    silent = replace(spec.options, logging=Logging(LogDriver.NONE))
    assert (place.runs.facts(spec.key, silent).log, bool(facts("").log)) == ("", True)


@pytest_twisted.ensureDeferred
async def test_a_seccomp_profile_that_is_not_there_is_the_clients_fault(place: Place) -> None:
    with pytest.raises(InvalidParameter, match="/nowhere/x"):
        await place.runs.seccomp_profile("/nowhere/x.json")
