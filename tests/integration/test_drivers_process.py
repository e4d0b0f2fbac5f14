"""Programs started for real: clean, fed, limited, killed, reaped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from apiserver.config.host.programs import VersionCache
from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.drivers.versions import Versions
from apiserver.errors import HostError, ProgramMissing


@pytest.fixture
def programs() -> Programs:
    return Programs(reactor)


def pause(seconds: float) -> Deferred[None]:
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest_twisted.ensureDeferred
async def test_a_program_gets_stdin_and_gives_output_and_code(programs: Programs) -> None:
    done = await programs.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"hello", ok_codes=[3])
    assert (done.stdout, done.stderr, done.code) == (b"hello", b"oops\n", 3)


@pytest_twisted.ensureDeferred
async def test_a_program_without_stdin_reads_nothing(programs: Programs) -> None:
    assert (await programs.run(["cat"])).stdout == b""


@pytest_twisted.ensureDeferred
async def test_an_unexpected_code_is_an_error_with_the_tail_of_stderr(programs: Programs) -> None:
    with pytest.raises(ProgramFailed) as caught:
        await programs.run(["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 7"])
    assert (caught.value.program, caught.value.code) == ("sh", 7)
    assert caught.value.stderr.endswith(b"the end\n")
    assert 64 * 1024 <= len(caught.value.stderr) <= 128 * 1024
    assert "sh: exit status 7" in str(caught.value)
    assert len(str(caught.value)) < 2100


@pytest_twisted.ensureDeferred
async def test_a_signal_is_128_and_its_number(programs: Programs) -> None:
    done = await programs.run(["sh", "-c", "kill -TERM $$"], ok_codes=None)
    assert done.code == 128 + signal.SIGTERM


@pytest_twisted.ensureDeferred
async def test_a_missing_program_is_named_with_the_way_to_mend_it(programs: Programs, tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing, match=r"nope-nope.*apiserver check"):
        await programs.run(["nope-nope"])
    with pytest.raises(ProgramMissing):
        await programs.run([str(tmp_path / "gone")])


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_executed_leaves_no_descriptor(programs: Programs, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nonexistent\n")
    broken.chmod(0o755)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(HostError, match="cannot be started"):
        await programs.run([str(broken)], stdin=b"x")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest_twisted.ensureDeferred
async def test_no_descriptor_reaches_a_program_but_the_named_ones(programs: Programs) -> None:
    inherited, named = os.open("/dev/null", os.O_RDONLY), socket.socketpair()
    os.set_inheritable(inherited, True)  # as systemd leaves its sockets
    try:
        clean = Programs(reactor)
        fd = named[0].fileno()
        done = await clean.run(["sh", "-c", "ls /proc/$$/fd"], pass_fds=[fd])
        seen = {int(name) for name in done.stdout.split()}
        assert seen == {0, 1, 2, fd}
        assert not os.get_inheritable(fd)
    finally:
        os.close(inherited)
        for end in named:
            end.close()


@pytest_twisted.ensureDeferred
async def test_the_services_environment_stays_here(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", "secret")
    done = await programs.run(["env"], env={"NAMED": "yes"})
    variables = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    assert variables.keys() == {"PATH", "HOME", "LANG", "NAMED"}
    assert "/usr/sbin" in variables["PATH"].split(":")


@pytest_twisted.ensureDeferred
async def test_signals_are_at_their_defaults(programs: Programs) -> None:
    done = await programs.run(["grep", "^Sig", "/proc/self/status"])
    masks = dict(line.split(":\t") for line in done.stdout.decode().splitlines())
    # glibc's posix_spawn leaves its own 32 and 33 ignored; a thread library sets them before it uses them.
    assert int(masks["SigIgn"], 16) & ~(0b11 << 31) == 0
    assert int(masks["SigBlk"], 16) == 0


@pytest_twisted.ensureDeferred
async def test_a_program_may_run_in_another_directory(programs: Programs, tmp_path: Path) -> None:
    done = await programs.run(["pwd"], cwd=tmp_path)
    assert done.stdout.decode().strip() == str(tmp_path)


@pytest_twisted.ensureDeferred
async def test_a_program_that_takes_too_long_is_killed_with_its_children(programs: Programs) -> None:
    began = time.monotonic()
    with pytest.raises(ProgramFailed, match=r"took longer than 0\.2 s"):
        await programs.run(["sh", "-c", "sleep 60 & echo $! >&2; wait"], time_limit=0.2)
    assert time.monotonic() - began < 5


@pytest_twisted.ensureDeferred
async def test_with_grace_a_program_may_tidy_up_first(programs: Programs) -> None:
    script = "trap 'echo tidy >&2; exit 0' TERM; while :; do sleep 0.05; done"
    with pytest.raises(ProgramFailed, match="tidy"):
        await programs.run(["sh", "-c", script], time_limit=0.3, grace=5)


@pytest_twisted.ensureDeferred
async def test_a_deaf_program_is_killed_when_its_grace_is_over(programs: Programs) -> None:
    with pytest.raises(ProgramFailed) as caught:
        await programs.run(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], time_limit=0.2, grace=0.2)
    assert caught.value.code == 128 + signal.SIGKILL


@pytest_twisted.ensureDeferred
async def test_cancelling_kills(programs: Programs, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    running = Deferred.fromCoroutine(programs.run(["sh", "-c", f"echo $$ >{pid_file}; exec sleep 60"]))
    while not pid_file.exists() or not pid_file.read_text():
        await pause(0.01)
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    for _ in range(200):
        if not is_there(int(pid_file.read_text())):
            return
        await pause(0.01)
    pytest.fail("it is still there")


@pytest_twisted.ensureDeferred
async def test_more_output_than_is_kept_is_an_error(programs: Programs) -> None:
    with pytest.raises(ProgramFailed, match="wrote more than 1000 bytes"):
        await programs.run(["cat", "/dev/zero"], stdout_limit=1000)


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_keeps_the_output_open_holds_nobody_up(programs: Programs) -> None:
    began = time.monotonic()
    done = await programs.run(["sh", "-c", "sleep 3 & echo started $!"])
    assert time.monotonic() - began < 2
    word, pid = done.stdout.split()
    assert word == b"started"
    os.kill(int(pid), signal.SIGKILL)


@pytest_twisted.ensureDeferred
async def test_a_source_is_asked_only_as_fast_as_the_program_reads(programs: Programs) -> None:
    given = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 65536
            yield bytes(65536)

    running = Deferred.fromCoroutine(programs.run(["sleep", "60"], stdin=source()))
    await pause(0.3)
    assert given < 1_000_000
    running.cancel()
    with pytest.raises(CancelledError):
        await running


@pytest_twisted.ensureDeferred
async def test_all_of_a_large_stream_passes_through(programs: Programs) -> None:
    size, got = 0, 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal size
        for number in range(500):
            size += 100_001
            yield bytes([number % 256]) * 100_001

    async def sink(data: bytes) -> None:
        nonlocal got
        got += len(data)
        if got % 7 == 0:
            await pause(0)

    done = await programs.run(["cat"], stdin=source(), stdout=sink)
    assert (got, done.stdout) == (size, b"")


@pytest_twisted.ensureDeferred
async def test_a_program_that_ends_early_does_not_wait_for_its_source(programs: Programs) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"some"
        await Deferred()  # a client that says no more

    done = await programs.run(["head", "-c", "2"], stdin=source())
    assert done.stdout == b"so"


@pytest_twisted.ensureDeferred
async def test_a_source_that_fails_kills_the_program_and_its_error_is_heard(programs: Programs) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"some"
        raise ConnectionError("the client went away")

    with pytest.raises(ConnectionError, match="went away"):
        await programs.run(["cat"], stdin=source())


@pytest_twisted.ensureDeferred
async def test_a_sink_that_fails_kills_the_program_and_its_error_is_heard(programs: Programs) -> None:
    async def sink(_: bytes) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        await programs.run(["cat", "/dev/zero"], stdout=sink)


@pytest_twisted.ensureDeferred
async def test_versions_are_asked_once(programs: Programs, tmp_path: Path) -> None:
    program = tmp_path / "thing"
    program.write_text(f"#!/bin/sh\necho asked >>{tmp_path}/asked\necho thing version 1.2.3\n")
    program.chmod(0o755)
    for _ in range(2):
        versions = Versions(programs, VersionCache(tmp_path / "versions"))
        assert await versions.ask({"thing": program, "none": tmp_path / "gone"}) == {"thing": "1.2.3"}
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_program_that_outlives_the_reactor_does_not_hold_up_its_end() -> None:
    script = """
from twisted.internet import reactor
from apiserver.drivers.process import Programs
child = Programs(reactor).start(["sleep", "60"])
print(child.pid, flush=True)
reactor.callWhenRunning(reactor.stop)
reactor.run()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        try:
            assert starter.wait(30) == 0
            assert (Path("/proc") / str(pid) / "comm").read_text() == "sleep\n"
        finally:
            starter.kill()
            os.kill(pid, signal.SIGKILL)
