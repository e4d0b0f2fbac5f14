"""Starting containers: intent before effect, and nothing half-made behind a failure."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.failures import MarkedForRemoval, StartOfPaused
from apiserver.engine.containers.model import State
from apiserver.engine.containers.options import ContainerOptions, Lifecycle, Mounts, Network, Process
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.wait import Condition, WaitResult
from apiserver.engine.ports.publish import PortRequest
from apiserver.engine.ports.runs import StartFailed
from apiserver.errors import HostError, ImageRemovedUnderneath, NoSuchContainer, NotModified, PortInUse
from apiserver.wire.docker import status as docker_status
from apiserver.wire.libpod import status as libpod_status
from tests.support.engine import TRUE, Engine, failure_of, result_of, spawn

PUBLISHED = replace(TRUE, network=Network(ports=(PortRequest(80, host_port_first=8080, host_port_last=8080),)))
ONE_SHOT = replace(PUBLISHED, lifecycle=Lifecycle(auto_remove=True))

STEPS = [
    "publisher.bind",
    "networks.plan",
    "commit",
    "commit done",
    "networks.open",
    "networks.open done",
    "networks.attach",
    "networks.attach done",
    "runs.create",
    "runs.create done",
    "streams.attach",
    "runs.start",
    "runs.start done",
]


def attach(engine: Engine) -> None:
    result_of(engine.containers.attach.attach("box", stdout=True))


def test_a_start_runs_the_process_once_and_says_so() -> None:
    engine = Engine()
    container = engine.started(PUBLISHED)
    assert container.state is State.RUNNING
    assert container.run is not None
    assert (container.run.number, container.run.pid, container.run.started) == (1, 1001, engine.machine.now())
    assert [str(e.address) for e in container.run.endpoints] == ["10.89.0.2"]
    assert container.run.network is not None
    assert [p.host_port for p in container.run.network.ports] == [8080]
    assert engine.machine.starts == {engine.key(): 1}
    assert engine.told() == ["create", "init", "start"]
    assert engine.told("network") == ["connect"]


def test_the_process_is_made_while_the_network_is_set_up() -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    attached = engine.gates.hold("networks.attach")
    start = spawn(engine.containers.start.start("box"))
    assert engine.gates.passed[-1] == "runs.create done"
    attached.callback(None)
    result_of(start)
    assert engine.container().state is State.RUNNING


@pytest.mark.parametrize("why", ["an answer that nobody knows before", "a sysctl that may name the interface"])
def test_the_process_is_made_after_the_network_where_it_needs_to_know(why: str) -> None:
    engine = Engine()
    sysctls = {"net.ipv4.conf.eth0.rp_filter": "2"} if why.startswith("a sysctl") else {}
    engine.networks.foresees = bool(sysctls)
    engine.create(replace(PUBLISHED, sysctls=sysctls))
    attached = engine.gates.hold("networks.attach")
    start = spawn(engine.containers.start.start("box"))
    assert engine.gates.passed[-1] == "networks.attach"
    attached.callback(None)
    result_of(start)
    run = engine.container().run
    assert run is not None
    assert [str(e.address) for e in run.endpoints] == ["10.89.0.2"]


@pytest.mark.parametrize("step", ["networks.attach", "runs.create"])
def test_what_fails_is_undone_after_the_other_has_come_to_its_end(step: str) -> None:
    other = {"networks.attach": "runs.create", "runs.create": "networks.attach"}[step]
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.failing[step] = HostError("it broke")
    held = engine.gates.hold(other)
    start = spawn(engine.containers.start.start("box"))
    assert "networks.detach" not in engine.gates.passed
    held.callback(None)
    assert isinstance(failure_of(start), HostError)
    assert engine.nothing_is_left()


def test_the_ports_are_closed_here_once_the_monitor_has_them() -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    assert engine.machine.ports == []


@pytest.mark.parametrize("step", ["networks.attach", "runs.create"])
def test_nothing_is_made_that_is_not_recorded(step: str) -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.hold(step)
    spawn(engine.containers.start.start("box"))
    (recorded,) = engine.records.containers.values()
    assert recorded.state is State.CONFIGURED
    assert recorded.run is not None
    assert recorded.run.plan == {"container": recorded.id, "run": 1}
    assert recorded.run.network is not None


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_leaves_nothing_and_a_later_start_works(step: str) -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    attach(engine)
    # A full disk fails the recording of what happened too: then the plans in memory are enough.
    engine.gates.failing[step] = HostError("it broke")
    assert isinstance(failure_of(engine.containers.start.start("box")), HostError)
    engine.gates.failing.clear()
    container = engine.container()
    assert container.state is State.CONFIGURED
    if not step.startswith("commit"):
        assert engine.nothing_is_left()
        assert container.run is not None
        assert (container.run.error, container.run.exit_code, container.run.plan) == ("it broke", 128, {})
        assert engine.records.containers[container.id] == container
    result_of(engine.containers.start.start("box"))
    assert engine.container().state is State.RUNNING
    assert max(engine.machine.starts.values()) == 1
    assert len(engine.machine.runs) == 1


def test_a_start_that_cannot_be_recorded_does_not_go_on_running() -> None:
    engine = Engine()
    container = engine.create(PUBLISHED)
    started = engine.gates.hold("runs.start done")
    start = spawn(engine.containers.start.start("box"))
    engine.gates.failing["commit"] = HostError("disk full")
    started.callback(None)
    assert isinstance(failure_of(start), HostError)
    assert engine.machine.runs == {}
    assert not engine.registry.by_id(container.id).alive


@pytest.mark.parametrize("code", [126, 127])
def test_a_program_that_cannot_be_run_is_recorded_as_docker_does(code: int) -> None:
    engine = Engine()
    engine.create()
    engine.gates.failing["runs.start"] = StartFailed("exec: nope: not found", code)
    assert isinstance(failure_of(engine.containers.start.start("box")), StartFailed)
    run = engine.container().run
    assert run is not None
    assert run.exit_code == code
    assert run.error == "failed to create task for container: exec: nope: not found"
    assert engine.told() == ["create"]
    assert engine.nothing_is_left()


def test_an_exited_container_stays_exited_with_its_times_when_it_cannot_be_started_again() -> None:
    engine = Engine()
    engine.started()
    engine.exit(3)
    before = engine.container().run
    engine.clock.advance(60)
    engine.gates.failing["runs.create"] = StartFailed("x", 127)
    failure_of(engine.containers.start.start("box"))
    after = engine.container().run
    assert before is not None
    assert after is not None
    assert engine.container().state is State.EXITED
    assert (after.number, after.exit_code) == (2, 127)
    assert (after.started, after.finished) == (before.started, before.finished)


def test_one_that_runs_again_still_tells_when_its_run_before_ended() -> None:
    engine = Engine()
    engine.started()
    engine.exit(3)
    before = engine.container().run
    engine.clock.advance(60)
    result_of(engine.containers.start.start("box"))
    now = engine.container().run
    assert before is not None
    assert now is not None
    assert before.finished is not None
    assert (now.finished, now.exit_code) == (before.finished, None)


def test_a_container_that_removes_itself_is_gone_after_a_failed_start() -> None:
    engine = Engine()
    container = engine.create(ONE_SHOT)
    removed = engine.containers.wait.watch("box", Condition.REMOVED)
    engine.gates.failing["runs.create"] = StartFailed("x", 127)
    assert isinstance(failure_of(engine.containers.start.start("box")), StartFailed)
    assert engine.registry.find(container.id) is None
    assert engine.records.containers == {}
    assert result_of(removed) == WaitResult(127), "the CLI would complain of the wait too"
    assert engine.told() == ["create", "destroy"]
    assert engine.nothing_is_left()
    engine.gates.failing.clear()
    engine.create(ONE_SHOT)


def test_what_could_not_be_undone_is_undone_by_the_next_start() -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.failing["runs.create done"] = HostError("no")
    engine.gates.failing["runs.discard"] = HostError("busy")
    failure_of(engine.containers.start.start("box"))
    run = engine.container().run
    assert run is not None
    assert run.ended
    assert run.plan, "what may be left stays recorded"
    engine.gates.failing.clear()
    result_of(engine.containers.start.start("box"))
    assert list(engine.machine.runs) == [engine.key()]
    assert engine.key().number == 2


def test_of_two_starts_at_once_one_is_told_that_it_runs_already() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.create")
    first, second = (spawn(engine.containers.start.start("box")) for _ in range(2))
    held.callback(None)
    result_of(first)
    assert isinstance(failure_of(second), NotModified)
    assert engine.machine.starts == {engine.key(): 1}


def test_a_container_that_is_being_removed_cannot_be_started() -> None:
    engine = Engine()
    engine.create()
    engine.gates.failing["runs.forget"] = HostError("busy")
    failure_of(engine.containers.remove.remove("box"))
    assert isinstance(failure_of(engine.containers.start.start("box")), MarkedForRemoval)


def test_a_start_that_waits_for_a_removal_finds_nothing() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.forget")
    remove = spawn(engine.containers.remove.remove("box"))
    start = spawn(engine.containers.start.start("box"))
    held.callback(None)
    result_of(remove)
    assert isinstance(failure_of(start), NoSuchContainer)


def test_a_paused_container_is_not_started() -> None:
    engine = Engine()
    container = engine.started()
    engine.registry.put(container.become(State.PAUSED))
    assert isinstance(failure_of(engine.containers.start.start("box")), StartOfPaused)


def test_an_image_that_another_tool_removed_is_said_and_nothing_is_made() -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.images.gone = True
    assert isinstance(failure_of(engine.containers.start.start("box")), ImageRemovedUnderneath)
    assert engine.nothing_is_left()


def test_a_taken_port_is_an_error_of_the_start_in_dockers_words() -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.failing["publisher.bind"] = PortInUse("Bind for 0.0.0.0:8080 failed: port is already allocated")
    failure_of(engine.containers.start.start("box"))
    run = engine.container().run
    assert run is not None
    assert (run.exit_code, run.error) == (128, "Bind for 0.0.0.0:8080 failed: port is already allocated")


def test_ports_are_not_bound_where_there_is_no_network_to_publish_from() -> None:
    engine = Engine()
    engine.started(replace(PUBLISHED, network=replace(PUBLISHED.network, mode="host")))
    assert "publisher.bind" not in engine.gates.passed


def test_all_exposed_ports_are_published_at_free_ones_where_asked() -> None:
    engine = Engine()
    network = Network(ports=PUBLISHED.network.ports, publish_all=True, exposed=("80/tcp", "53/udp"))
    container = engine.started(replace(TRUE, network=network))
    assert container.run is not None
    assert container.run.network is not None
    assert [(p.container_port, str(p.transport)) for p in container.run.network.ports] == [(80, "tcp"), (53, "udp")]


def test_a_run_knows_where_its_volumes_are() -> None:
    engine = Engine()
    engine.images.config = replace(engine.images.config, volumes=("/data",))
    container = engine.started(ContainerOptions(process=Process(command=("true",))))
    (name,) = container.volumes
    assert engine.runs.specs[0].volumes == {name: f"/volumes/{name}/_data"}


def test_a_process_that_ends_before_its_start_is_recorded_ends_once() -> None:
    engine = Engine()
    engine.create()
    held = engine.gates.hold("runs.start done")
    start = spawn(engine.containers.start.start("box"))
    engine.machine.exit(engine.key(), 5)
    held.callback(None)
    result_of(start)
    run = engine.container().run
    assert run is not None
    assert (engine.container().state, run.exit_code) == (State.EXITED, 5)
    assert engine.told() == ["create", "init", "start", "died"]


@pytest.mark.parametrize("why", [HostError("busy"), OSError("busy")])
def test_a_network_that_cannot_be_undone_does_not_keep_the_process(why: Exception) -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.fail({"runs.start": HostError("no"), "networks.detach": why})
    assert str(failure_of(engine.containers.start.start("box"))) == "no: host error"
    assert engine.machine.runs == {}
    run = engine.container().run
    assert run is not None
    assert run.network is not None, "it is still to be undone"
    engine.gates.failing.clear()
    result_of(engine.containers.remove.remove("box"))
    assert engine.nothing_is_left()


@pytest.mark.parametrize("step", ["commit", "commit done"])
def test_an_intent_that_cannot_be_recorded_gives_its_address_and_ports_back(step: str) -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    engine.gates.failing[step] = HostError("disk full")
    failure_of(engine.containers.start.start("box"))
    assert engine.nothing_is_left()


def test_news_of_a_start_that_failed_without_a_record_changes_nothing() -> None:
    engine = Engine()
    engine.create(PUBLISHED)
    held = engine.gates.hold("runs.create done")
    start = spawn(engine.containers.start.start("box"))
    engine.gates.failing["commit"] = HostError("disk full")
    engine.machine.exit(engine.key(), 1)
    engine.gates.failing["runs.start"] = StartFailed("gone", 128)
    held.callback(None)
    failure_of(start)
    engine.gates.failing.clear()
    engine.clock.advance(60)
    assert engine.container().state is State.CONFIGURED
    result_of(engine.containers.start.start("box"))
    assert engine.key().number == 2


def mounts(*each: Mount) -> ContainerOptions:
    return replace(TRUE, mounts=Mounts(each))


DB = Mount(MountKind.VOLUME, "/data", source="db")


def test_the_first_start_with_a_volume_fills_it_and_no_later_one() -> None:
    engine = Engine()
    engine.started(mounts(DB, Mount(MountKind.VOLUME, "/raw", source="raw", no_copy=True)))
    engine.started(mounts(DB), "later")
    engine.started(mounts(replace(DB, source="raw")), "raw")
    assert [spec.new_volumes for spec in engine.runs.specs] == [{"db"}, frozenset(), {"raw"}]
    following = engine.reconciled()
    assert not following.volumes.get("db").needs_copy_up


def test_a_volume_that_an_image_has_nothing_for_is_filled_by_a_later_one() -> None:
    engine = Engine()
    engine.machine.bare_images = True
    engine.started(mounts(DB))
    assert engine.reconciled().volumes.get("db").needs_copy_up
    engine.machine.bare_images = False
    engine.started(mounts(DB), "later")
    engine.started(mounts(DB), "last")
    assert [spec.new_volumes for spec in engine.runs.specs[-2:]] == [{"db"}, frozenset()]


@pytest.mark.parametrize("step", ["runs.create", "commit"])
def test_a_volume_whose_first_start_fails_is_filled_at_the_next(step: str) -> None:
    engine = Engine()
    engine.create(mounts(DB))
    engine.gates.fail({step: HostError("no space left on device")})
    failure_of(engine.containers.start.start("box"))
    engine.gates.failing.clear()
    assert engine.volumes.get("db").needs_copy_up
    result_of(engine.containers.start.start("box"))
    assert engine.runs.specs[-1].new_volumes == {"db"}


@pytest.mark.parametrize("step", STEPS)
def test_until_it_is_started_again_it_tells_of_the_run_before(step: str) -> None:
    engine = Engine()
    engine.started(PUBLISHED)
    engine.exit(3)
    before = engine.container()
    told = (docker_status.state_json(before), libpod_status.exit_code(before))
    assert (told[0]["ExitCode"], told[1]) == (3, 3)
    engine.clock.advance(60)
    attach(engine)
    engine.gates.hold(step)
    spawn(engine.containers.start.start("box"))
    starting = engine.container()
    assert (docker_status.state_json(starting), libpod_status.exit_code(starting)) == told
    assert docker_status.status_text(starting, engine.machine.now()) == "Exited (3) About a minute ago"
