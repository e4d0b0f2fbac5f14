"""Life of a run on this machine: real conmon, real runtime."""

from __future__ import annotations

import errno
import os
import resource
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from apiserver.config.host.mountinfo import mounts_under
from apiserver.drivers.linux import descriptors
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.linux.pidfd import Process as HeldProcess
from apiserver.engine.containers.options import Logging, Process
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.ports.runs import Found, NotRunning, RunKey, StartFailed
from apiserver.errors import HostError, InvalidParameter
from apiserver.local.runs import cleanup, exitfile, rootfs, stop
from tests.integration.local_rig import rig
from tests.support.image_archive import Entry
from tests.support.local_runs import Made, Rig, options_for, shell, unpack

__all__ = ["rig"]


async def until(what: Callable[[], object], seconds: float = 5) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "it took too long"
        await deferLater(reactor, 0.01)


def nothing_is_left(rig: Rig, made: Made) -> bool:
    cgroups = Cgroups(rig.host.hierarchies)
    return (
        not mounts_under(rig.paths.containers)
        and not rig.paths.run(made.key.container_id, 1).directory.parent.exists()
        and not any(made.key.container_id in name for name in cgroups.children("/apiserver"))
        and not any((rig.paths.runroot / "runtime").glob(f"*/{made.key.container_id}"))
    )


def conmon_of(rig: Rig, made: Made) -> int:
    return int(rig.paths.run(made.key.container_id, made.key.number).conmon_pid_file.read_text())


@pytest_twisted.ensureDeferred
async def test_output_and_exit_code_come_back(rig: Rig) -> None:
    before = datetime.now(UTC)
    ran = await rig.run(shell("echo out; echo err >&2; exit 3"))
    assert (ran.out, ran.err, ran.code, ran.end.oom_killed) == (b"out\n", b"err\n", 3, False)
    assert before <= ran.end.finished <= datetime.now(UTC)


@pytest_twisted.ensureDeferred
async def test_a_signal_that_ends_it_is_128_and_its_number(rig: Rig) -> None:
    assert (await rig.run(shell("sleep 100 & kill -9 $!; wait $!"))).code == 137


@pytest_twisted.ensureDeferred
async def test_stdin_goes_in_whole_and_ends(rig: Rig) -> None:
    options = shell("wc -c", process={"stdin_open": True, "stdin_once": True})
    assert (await rig.run(options, stdin=bytes(3_000_000))).text.strip() == "3000000"


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("/nosuch",), 127, "no such file or directory"),
        (("nosuch",), 127, "executable file not found"),
        (("/etc/passwd",), 126, "permission denied"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_executed_fails_in_words_that_clients_look_for(
    rig: Rig, argv: tuple[str, ...], code: int, words: str
) -> None:
    options = options_for(Process(command=argv, working_dir="/"))
    with pytest.raises(StartFailed) as failed:
        await rig.run(options)
    assert failed.value.exit_code == code
    to_docker = failed.value.docker.format(subject=failed.value.subject)
    assert words in to_docker.lower() or "executable file not found" in to_docker
    await rig.runs.discard(rig.made[-1].plan)
    assert nothing_is_left(rig, rig.made[-1])


@pytest_twisted.ensureDeferred
async def test_stop_ends_what_listens_at_once(rig: Rig) -> None:
    made = await rig.create(shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"))
    streams = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    assert await streams.read()
    began = time.monotonic()
    await rig.runs.stop(made.plan, signal.SIGTERM, 10)
    assert time.monotonic() - began < 5
    assert (await rig.over(made)).exit_code == 7


@pytest_twisted.ensureDeferred
async def test_stop_kills_what_does_not_listen_once_the_time_is_over(rig: Rig) -> None:
    made = await rig.create(shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done"))
    streams = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    assert await streams.read() == (1, b"deaf\n")
    began = time.monotonic()
    await rig.runs.stop(made.plan, signal.SIGTERM, 0.3)
    assert 0.3 <= time.monotonic() - began < 3
    assert (await rig.over(made)).exit_code == 137
    streams.close()


@pytest_twisted.ensureDeferred
async def test_a_stop_does_not_wait_for_ever_for_what_the_kernel_does_not_let_go(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    with monkeypatch.context() as frozen:
        frozen.setattr(stop, "KILLED_LIMIT", 0.1, raising=False)
        frozen.setattr(HeldProcess, "signal", lambda *_: None)  # as in a frozen cgroup, where SIGKILL waits too
        stopping = Deferred.fromCoroutine(rig.runs.stop(made.plan, signal.SIGTERM, 0.1))
        with pytest.raises(HostError, match="did not receive an exit event"):
            await stopping.addTimeout(5, cast(IReactorTime, reactor))
    await rig.runs.stop(made.plan, signal.SIGTERM, 0)


@pytest_twisted.ensureDeferred
async def test_a_signal_to_what_has_ended_is_refused(rig: Rig) -> None:
    made = await rig.create(shell("true"))
    await rig.runs.start(made.plan)
    await rig.over(made)
    with pytest.raises(NotRunning):
        await rig.runs.signal(made.plan, signal.SIGTERM)
    await rig.runs.stop(made.plan, signal.SIGTERM, 10)  # no wait, no error


@pytest_twisted.ensureDeferred
async def test_an_end_is_told_once(rig: Rig) -> None:
    made = await rig.create(shell("true"))
    await rig.runs.start(made.plan)
    await rig.over(made)
    await rig.runs.survey({made.key: made.plan})
    await deferLater(reactor, 0.1)
    assert rig.ended == [made.key]


@pytest_twisted.ensureDeferred
async def test_discard_undoes_a_run_in_any_state_and_twice(rig: Rig) -> None:
    created = await rig.create(shell("true"))
    await rig.runs.discard(created.plan)
    assert nothing_is_left(rig, created)
    running = await rig.create(shell("sleep 100"))
    await rig.runs.start(running.plan)
    await rig.runs.discard(running.plan)
    assert nothing_is_left(rig, running)
    await rig.runs.discard(running.plan)
    never = rig.runs.plan(RunKey("a" * 64, 1), shell("true"), rig.runs.choose_runtime(""))
    await rig.runs.discard(never)
    assert rig.ended == []


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_undone_is_an_error_of_this_host_and_all_else_is_undone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    with monkeypatch.context() as broken:
        broken.setattr(rootfs, "unmount_now", _busy)
        with pytest.raises(HostError, match="cannot unmount"):
            await rig.runs.discard(made.plan)
        assert not any((rig.paths.runroot / "runtime").glob(f"*/{made.key.container_id}"))
    with monkeypatch.context() as broken:
        broken.setattr(cleanup, "remove_tree", _busy)
        with pytest.raises(HostError, match="is not undone"):
            await rig.runs.discard(made.plan)
        with pytest.raises(HostError, match="is not undone"):
            await rig.runs.forget(made.key.container_id)
    await rig.runs.discard(made.plan)
    assert nothing_is_left(rig, made)


def _busy(*_: object, **__: object) -> bool:
    raise OSError(errno.EBUSY, "busy")


@pytest_twisted.ensureDeferred
async def test_discard_undoes_a_run_whose_conmon_was_killed(rig: Rig) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    os.kill(conmon_of(rig, made), signal.SIGKILL)
    await rig.runs.discard(made.plan)
    assert nothing_is_left(rig, made)


@pytest_twisted.ensureDeferred
async def test_where_the_kernel_watches_no_more_directories_an_end_is_found_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, "too many instances of inotify")

    monkeypatch.setattr(exitfile, "AppearingFiles", none_left)
    made = await rig.create(shell("sleep 0.5; exit 6"))
    await rig.runs.start(made.plan)
    assert (await rig.runs.end(made.plan)).exit_code == 6
    await rig.runs.discard(made.plan)


@pytest_twisted.ensureDeferred
async def test_an_end_that_nobody_recorded_has_an_unknown_code_without_waiting(rig: Rig) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    os.kill(conmon_of(rig, made), signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{conmon_of(rig, made)}/cmdline").exists())
    began = time.monotonic()
    await rig.runs.stop(made.plan, signal.SIGKILL, 0)
    assert (await rig.over(made)).exit_code is None
    assert time.monotonic() - began < 3


@pytest_twisted.ensureDeferred
async def test_after_a_restart_of_the_service_runs_are_found_watched_and_end_with_their_code(rig: Rig) -> None:
    running = await rig.create(shell("trap 'exit 5' TERM; while :; do sleep 0.05; done"))
    await rig.runs.start(running.plan)
    created = await rig.create(shell("true"))
    ended = await rig.create(shell("exit 4"))
    rig.runs.close()
    rig.start_service()
    await rig.runs.start(ended.plan)
    exit_file = rig.paths.run(ended.key.container_id, 1).exit_file
    await until(exit_file.exists)
    never = RunKey("b" * 64, 3)
    plans = {made.key: made.plan for made in rig.made}
    plans[never] = rig.runs.plan(never, shell("true"), rig.runs.choose_runtime(""))
    assert await rig.runs.survey(plans) == {
        running.key: Found.RUNNING,
        created.key: Found.CREATED,
        ended.key: Found.ENDED,
        never: Found.NOTHING,
    }
    assert (await rig.runs.end(ended.plan)).exit_code == 4
    await deferLater(reactor, 0.2)
    await rig.runs.stop(running.plan, signal.SIGTERM, 5)
    assert (await rig.over(running)).exit_code == 5


@pytest_twisted.ensureDeferred
async def test_a_lost_run_root_is_no_reason_to_lose_the_process(rig: Rig) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    rig.runs.close()
    lost = rig.paths.runroot / "lost"
    rig.paths.runs.rename(lost)
    rig.start_service()
    assert await rig.runs.survey({made.key: made.plan}) == {made.key: Found.RUNNING}
    lost.rename(rig.paths.runs)


@pytest_twisted.ensureDeferred
async def test_strangers_are_what_lies_here_and_is_not_known(rig: Rig) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    assert made.key.container_id in await rig.runs.strangers(frozenset())
    assert made.key.container_id not in await rig.runs.strangers(frozenset({made.key.container_id}))
    await rig.runs.forget(made.key.container_id)
    assert nothing_is_left(rig, made)
    assert made.key.container_id not in await rig.runs.strangers(frozenset())


@pytest_twisted.ensureDeferred
async def test_the_writable_layer_and_the_log_outlive_runs_until_they_are_forgotten(rig: Rig) -> None:
    container_id = "c" * 64
    await rig.run(shell("echo one; echo kept > /file"), container_id=container_id)
    second = await rig.run(shell("echo two; cat /file"), container_id=container_id)
    assert second.text == "two\nkept\n"
    said = [record.data async for records in rig.logs.read(container_id) for record in records]
    assert said == [b"one", b"two", b"kept"]
    await rig.runs.forget(container_id)
    assert not rig.paths.container(container_id).directory.exists()
    await rig.runs.forget(container_id)


@pytest_twisted.ensureDeferred
async def test_the_root_has_the_images_mode_also_where_its_making_was_cut(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.layers.directories[0].chmod(0o1711)

    def cut(*_: object) -> None:
        raise OSError(errno.EIO, "cut")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "chmod", cut)
        with pytest.raises(HostError, match="cut"):
            await rig.create(shell("true"), container_id="a" * 64)
        await rig.runs.discard(rig.made[-1].plan)
    ran = await rig.run(shell("stat -c %a /"), container_id="a" * 64)
    assert ran.text == "1711\n"


@pytest_twisted.ensureDeferred
async def test_the_last_descriptors_are_for_what_gives_some_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    lowest = os.dup(2)
    os.close(lowest)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (lowest + descriptors.KEPT - 1, 1 << 20))
    with pytest.raises(HostError, match="too many open files"):
        await rig.create(shell("true"))
    await rig.runs.stop(made.plan, signal.SIGKILL, 0)
    await rig.runs.discard(made.plan)
    monkeypatch.undo()
    assert (await rig.run(shell("echo again"))).text == "again\n"


@pytest_twisted.ensureDeferred
async def test_without_a_log_driver_nothing_is_kept(rig: Rig) -> None:
    ran = await rig.run(shell("echo one", logging=Logging(driver=LogDriver.NONE)), container_id="d" * 64)
    assert ran.text == "one\n"
    assert [record async for record in rig.logs.read("d" * 64)] == []


@pytest_twisted.ensureDeferred
async def test_an_image_of_200_layers_runs(rig: Rig, tmp_path: Path) -> None:
    base = rig.layers.directories[0]
    more = [unpack(tmp_path / f"layer{n:03}", [Entry(f"n{n}", b"x")]) for n in range(200)]
    rig.layers.directories = [*more, base]
    assert (await rig.run(shell("ls -d /n* | wc -l"))).text.strip() == "200"


@pytest_twisted.ensureDeferred
async def test_descriptors_of_the_service_do_not_reach_the_container(rig: Rig) -> None:
    leak = os.open("/etc", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        ran = await rig.run(shell("ls /proc/1/fd; echo; ls /proc/self/fd | wc -l"))
    finally:
        os.close(leak)
    first, _, own = ran.text.partition("\n\n")
    assert first.split() == ["0", "1", "2"]
    assert int(own) == 4  # and the one that lists


@pytest_twisted.ensureDeferred
async def test_the_environment_of_the_service_does_not_reach_the_container(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APISERVER_SECRET", "hidden")
    ran = await rig.run(shell("env; cat /proc/1/environ"))
    assert b"hidden" not in ran.out


@pytest_twisted.ensureDeferred
async def test_a_failed_create_leaves_nothing_after_discard(rig: Rig) -> None:
    with pytest.raises(InvalidParameter, match="unable to find user nosuch"):
        await rig.create(shell("true", process={"user": "nosuch"}))
    await rig.runs.discard(rig.made[-1].plan)
    assert nothing_is_left(rig, rig.made[-1])


@pytest_twisted.ensureDeferred
async def test_conmon_has_a_cgroup_of_its_own_once_the_container_runs(rig: Rig) -> None:
    made = await rig.create(shell("sleep 100"))
    await rig.runs.start(made.plan)
    lines = Path(f"/proc/{conmon_of(rig, made)}/cgroup").read_text().splitlines()
    own = [line for line in lines if line.endswith(f"/apiserver/conmon-{made.key.container_id}")]
    assert len(own) == len(rig.runs.machine.monitor_hierarchies)
