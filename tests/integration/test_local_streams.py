"""Attach and exec on this machine."""

from __future__ import annotations

import fcntl
import os
import secrets
import select
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.task import deferLater

from apiserver.drivers.linux.mounts import mount_tmpfs, unmount_now
from apiserver.drivers.linux.pidfd import start_time
from apiserver.engine.containers.model import ExecSession
from apiserver.engine.containers.options import Security
from apiserver.engine.ports.runs import NotRunning, StartFailed
from apiserver.engine.ports.streams import ExecStarted, ProcessStreams, Stream
from apiserver.errors import HostError, InvalidParameter
from apiserver.jsonvalue import JsonObject
from apiserver.local.paths import RunPaths
from apiserver.local.runs.plan import RunPlan
from apiserver.local.streams import sessions
from apiserver.local.streams.exec_process import exec_process
from tests.integration.local_rig import rig
from tests.support.local_runs import Made, Rig, shell

__all__ = ["rig"]


def memory_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


async def pause(seconds: float) -> None:
    await deferLater(reactor, seconds)


async def until(what: Callable[[], object], seconds: float = 5) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "it took too long"
        await pause(0.01)


async def all_of(streams: ProcessStreams) -> dict[Stream, bytes]:
    out = {Stream.STDOUT: b"", Stream.STDERR: b""}
    while piece := await streams.read():
        out[piece[0]] += piece[1]
    return out


async def running(rig: Rig, script: str = "sleep 100", **changes: Any) -> Made:
    made = await rig.create(shell(script, **changes))
    await rig.runs.start(made.plan)
    return made


def session(made: Made, script: str, **changes: Any) -> ExecSession:
    argv = ("/bin/sh", "-c", script)
    return ExecSession(
        secrets.token_hex(32), made.key.container_id, made.key.number, datetime.now(UTC), argv, **changes
    )


async def start(rig: Rig, made: Made, asked: ExecSession, attach: bool = True) -> ExecStarted:
    planned = replace(asked, plan=rig.streams.plan_exec(made.plan, asked))
    return await rig.streams.start_exec(made.plan, planned, attach=attach)


async def executed(
    rig: Rig, made: Made, asked: ExecSession, stdin: bytes = b""
) -> tuple[dict[Stream, bytes], int | None]:
    started = await start(rig, made, asked)
    assert started.streams is not None
    if stdin:
        await started.streams.write(stdin)
        started.streams.close_write()
    out = await all_of(started.streams)
    code = await rig.streams.exec_end(made.plan, asked)
    started.streams.close()
    await rig.streams.discard_exec(made.plan, asked)
    return out, code


# attach


@pytest_twisted.ensureDeferred
async def test_two_clients_see_the_same_output_and_one_may_leave(rig: Rig) -> None:
    made = await rig.create(shell("echo one; read line; echo $line", process={"stdin_open": True}))
    first = await rig.streams.attach(made.plan)
    second = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    assert await first.read() == (Stream.STDOUT, b"one\n")
    first.close()
    await second.write(b"two\n")
    assert (await all_of(second))[Stream.STDOUT] == b"one\ntwo\n"
    assert (await rig.over(made)).exit_code == 0
    second.close()


@pytest_twisted.ensureDeferred
async def test_nobody_attaches_to_what_is_gone(rig: Rig) -> None:
    made = await running(rig, "true")
    await rig.over(made)
    await rig.runs.discard(made.plan)
    with pytest.raises(NotRunning):
        await rig.streams.attach(made.plan)


@pytest_twisted.ensureDeferred
async def test_a_reader_that_sleeps_holds_the_process_back_and_not_our_memory(rig: Rig) -> None:
    made = await rig.create(shell("head -c 300000000 /dev/zero; echo done >&2"))
    streams = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    before = memory_kb()
    await pause(0.5)
    assert rig.ended == []
    total = 0
    while piece := await streams.read():
        total += len(piece[1])
    assert total == 300_000_005
    assert memory_kb() - before < 30_000
    assert (await rig.over(made)).exit_code == 0


@pytest_twisted.ensureDeferred
async def test_a_reader_that_sleeps_does_not_keep_the_end_from_being_known(rig: Rig) -> None:
    made = await rig.create(shell("head -c 150000 /dev/zero; exit 9"))
    streams = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    assert (await rig.over(made)).exit_code == 9
    out = await all_of(streams)
    assert len(out[Stream.STDOUT]) == 150_000


@pytest_twisted.ensureDeferred
async def test_nor_does_it_where_the_process_made_its_pipe_as_large_as_it_may(rig: Rig) -> None:
    made = await rig.create(shell("read line; exec head -c 100000000 /dev/zero", process={"stdin_open": True}))
    streams = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    pid = int(RunPlan.from_json(made.plan).run.pid_file.read_text())
    largest = int(Path("/proc/sys/fs/pipe-max-size").read_text())
    pipe = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, largest)
    await streams.write(b"\n")
    await until(lambda: not select.select([], [pipe], [], 0)[1])  # it is full, and conmon waits for us
    os.close(pipe)
    await rig.runs.stop(made.plan, signal.SIGKILL, 0)
    assert (await rig.over(made)).exit_code == 137
    assert len((await all_of(streams))[Stream.STDOUT]) >= largest
    streams.close()


@pytest_twisted.ensureDeferred
async def test_what_is_written_after_the_end_goes_nowhere(rig: Rig) -> None:
    made = await rig.create(shell("true", process={"stdin_open": True}))
    streams = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    await rig.over(made)
    await streams.write(b"x" * 1_000_000)
    streams.close()


@pytest_twisted.ensureDeferred
async def test_stdin_outlives_clients_unless_it_is_for_one(rig: Rig) -> None:
    made = await rig.create(shell("read line; echo got $line", process={"stdin_open": True}))
    first = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    first.close_write()
    first.close()
    await pause(0.2)
    second = await rig.streams.attach(made.plan)
    await second.write(b"it\n")
    assert (await all_of(second))[Stream.STDOUT] == b"got it\n"


@pytest_twisted.ensureDeferred
async def test_a_terminal_can_be_resized(rig: Rig) -> None:
    script = "read line; stty size"
    made = await rig.create(shell(script, process={"terminal": True, "stdin_open": True}))
    streams = await rig.streams.attach(made.plan)
    await rig.runs.start(made.plan)
    await rig.streams.resize(made.plan, 33, 77)
    await pause(0.2)
    await streams.write(b"\n")
    assert (await all_of(streams))[Stream.STDOUT].endswith(b"33 77\r\n")


# exec


@pytest_twisted.ensureDeferred
async def test_exec_has_streams_and_an_exit_code(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "cat; echo err >&2; exit 3", attach_stdin=True)
    out, code = await executed(rig, made, asked, stdin=b"in" * 5_000)
    assert (out[Stream.STDOUT], out[Stream.STDERR], code) == (b"in" * 5_000, b"err\n", 3)
    assert not rig.paths.run(made.key.container_id, 1).exec(asked.id).directory.exists()


@pytest_twisted.ensureDeferred
async def test_exec_has_the_containers_environment_user_and_confinement(rig: Rig) -> None:
    made = await running(rig, process={"env": ("A=1", "B=2"), "user": "app", "working_dir": "/tmp"})
    out, _ = await executed(rig, made, session(made, "id -un; pwd; echo $A $B $HOME", env=("B=3",)))
    assert out[Stream.STDOUT] == b"app\n/tmp\n1 3 /home/app\n"
    out, _ = await executed(rig, made, session(made, "id; echo $HOME", user="root", working_dir="/etc"))
    assert out[Stream.STDOUT].startswith(b"uid=0(root) gid=0(root)")
    assert out[Stream.STDOUT].endswith(b"\n/root\n")
    status = "grep -E 'Cap|Seccomp:' /proc/self/status"
    text = (await executed(rig, made, session(made, status)))[0][Stream.STDOUT].decode()
    assert dict(line.split(":\t") for line in text.splitlines()) == {
        "CapInh": "0" * 16,
        "CapPrm": "0" * 16,
        "CapEff": "0" * 16,
        "CapBnd": "00000000a80425fb",
        "CapAmb": "0" * 16,
        "Seccomp": "2",
    }


@pytest_twisted.ensureDeferred
async def test_a_privileged_exec_has_all_that_we_have(rig: Rig) -> None:
    made = await running(rig, security=Security(cap_drop=("ALL",)))
    own = Path("/proc/self/status").read_text().partition("CapBnd:\t")[2][:16]
    out, _ = await executed(rig, made, session(made, "grep CapEff /proc/self/status", privileged=True))
    assert out[Stream.STDOUT].decode().split() == ["CapEff:", own]


@pytest.mark.parametrize("user", ["nosuch", "4294967296", "-1", "0x0", "01000", "root\n"])
@pytest_twisted.ensureDeferred
async def test_exec_refuses_users_that_could_become_another(rig: Rig, user: str) -> None:
    made = await running(rig)
    with pytest.raises(InvalidParameter):
        await start(rig, made, session(made, "true", user=user))


@pytest.mark.parametrize(("argv", "code"), [(("nosuch",), 127), (("/etc/passwd",), 126)])
@pytest_twisted.ensureDeferred
async def test_exec_of_what_is_no_program_fails(rig: Rig, argv: tuple[str, ...], code: int) -> None:
    made = await running(rig)
    asked = replace(session(made, ""), argv=argv)
    with pytest.raises(StartFailed) as failed:
        await start(rig, made, asked)
    assert failed.value.exit_code == code
    await rig.streams.discard_exec(made.plan, asked)


@pytest_twisted.ensureDeferred
async def test_exec_in_what_has_ended_is_refused(rig: Rig) -> None:
    made = await running(rig, "true")
    await rig.over(made)
    with pytest.raises(NotRunning):
        await start(rig, made, session(made, "true"))


@pytest_twisted.ensureDeferred
async def test_exec_in_what_ends_meanwhile_is_refused_alike(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await running(rig)

    def ends_meanwhile(run: RunPaths, session: ExecSession, pid: int, available: Sequence[str]) -> JsonObject:
        value = exec_process(run, session, pid, available)
        os.kill(pid, signal.SIGKILL)
        while start_time(pid) is not None:
            time.sleep(0.001)
        return value

    monkeypatch.setattr(sessions, "exec_process", ends_meanwhile)
    with pytest.raises(NotRunning):
        await start(rig, made, session(made, "true"))


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_deleted_of_an_exec_is_the_hosts_failure(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "true")
    started = await start(rig, made, asked, attach=False)
    assert started.streams is None
    place = RunPlan.from_json(made.plan).run.exec(asked.id).directory / "busy"
    place.mkdir()
    mount_tmpfs(place)
    try:
        with pytest.raises(HostError):
            await rig.streams.discard_exec(made.plan, asked)
    finally:
        unmount_now(place)
    await rig.streams.discard_exec(made.plan, asked)
    assert not place.parent.exists()


@pytest_twisted.ensureDeferred
async def test_exec_has_a_terminal_of_the_size_asked_for(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "sleep 0.3; stty size; echo $TERM", terminal=True, console_size=(44, 99))
    out, _ = await executed(rig, made, asked)
    assert out[Stream.STDOUT] == b"44 99\r\nxterm\r\n"


@pytest_twisted.ensureDeferred
async def test_exec_has_no_descriptors_but_its_own(rig: Rig) -> None:
    made = await running(rig)
    leak = os.open("/etc", os.O_RDONLY)
    os.set_inheritable(leak, True)
    out, _ = await executed(rig, made, session(made, "ls /proc/$$/fd; true"))
    os.close(leak)
    assert set(out[Stream.STDOUT].split()) <= {b"0", b"1", b"2"}


@pytest_twisted.ensureDeferred
async def test_a_detached_exec_runs_without_anybody(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "echo done > /out; exit 6")
    started = await start(rig, made, asked, attach=False)
    assert started.streams is None
    assert await rig.streams.exec_end(made.plan, asked) == 6
    assert (await executed(rig, made, session(made, "cat /out")))[0][Stream.STDOUT] == b"done\n"


@pytest_twisted.ensureDeferred
async def test_the_exit_code_of_an_exec_survives_the_service(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "sleep 0.5; exit 8")
    await start(rig, made, asked, attach=False)
    rig.runs.close()
    rig.start_service()
    await rig.runs.survey({made.key: made.plan})
    assert await rig.streams.exec_end(made.plan, asked) == 8
    assert await rig.streams.exec_end(made.plan, asked) == 8


@pytest_twisted.ensureDeferred
async def test_discard_ends_an_exec_that_still_runs(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "sleep 100")
    started = await start(rig, made, asked)
    assert started.pid is not None
    await rig.streams.discard_exec(made.plan, asked)
    await until(lambda: not Path(f"/proc/{started.pid}/cmdline").exists())
    await rig.streams.discard_exec(made.plan, asked)


@pytest_twisted.ensureDeferred
async def test_execs_end_with_their_container(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "sleep 100")
    started = await start(rig, made, asked)
    assert started.streams is not None
    await rig.runs.stop(made.plan, signal.SIGKILL, 0)
    assert await started.streams.read() is None
    assert await rig.streams.exec_end(made.plan, asked) == 137
    await rig.runs.discard(made.plan)


@pytest_twisted.ensureDeferred
async def test_an_exec_whose_reader_sleeps_does_not_keep_its_container_from_ending(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "yes", attach_stdout=True)
    started = await start(rig, made, asked)
    assert started.streams is not None
    await pause(0.5)  # all buffers are full
    began = time.monotonic()
    await rig.runs.stop(made.plan, signal.SIGKILL, 0)
    assert await rig.streams.exec_end(made.plan, asked) == 137
    assert time.monotonic() - began < 2
    said = await all_of(started.streams)
    assert set(said[Stream.STDOUT]) == set(b"y\n")
    started.streams.close()
    await rig.streams.discard_exec(made.plan, asked)


@pytest_twisted.ensureDeferred
async def test_the_end_of_an_exec_is_known_though_its_reader_sleeps(rig: Rig) -> None:
    made = await running(rig)
    asked = session(made, "head -c 100000 /dev/zero; exit 5", attach_stdout=True)
    started = await start(rig, made, asked)
    assert started.streams is not None
    assert await rig.streams.exec_end(made.plan, asked) == 5
    assert len((await all_of(started.streams))[Stream.STDOUT]) == 100_000
    started.streams.close()
    await rig.streams.discard_exec(made.plan, asked)


@pytest_twisted.ensureDeferred
async def test_an_exec_that_says_much_to_a_reader_that_sleeps_costs_no_memory(rig: Rig) -> None:
    made = await running(rig)
    started = await start(rig, made, session(made, "head -c 1000000000 /dev/zero"))
    before = memory_kb()
    await pause(0.5)
    assert memory_kb() - before < 10_000
    assert started.streams is not None
    started.streams.close()


@pytest_twisted.ensureDeferred
async def test_many_attaches_that_leave_cost_no_memory(rig: Rig) -> None:
    made = await running(rig, "while :; do echo line; sleep 0.01; done")
    before = memory_kb()
    for _ in range(300):
        (await rig.streams.attach(made.plan)).close()
    assert memory_kb() - before < 10_000
