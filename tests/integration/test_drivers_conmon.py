"""conmon with a real OCI runtime: create, start, attach, exec, resize, and how it all ends.

The runtime is runc, or what APISERVER_TEST_RUNTIME names: crun refuses a hybrid machine, so for it the whole file is
run once more in a mount namespace without the v2 tree.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from apiserver.config.host import read_host
from apiserver.config.host.programs import which
from apiserver.drivers.conmon.argv import CreateOptions, ExecOptions
from apiserver.drivers.conmon.attach import Attachment, Stream, attach
from apiserver.drivers.conmon.control import reopen_log, resize
from apiserver.drivers.conmon.exec import ExecSessions, Session
from apiserver.drivers.conmon.exits import Exit, read_exit
from apiserver.drivers.conmon.start import Conmon, Created
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.linux.pidfd import Process, start_time
from apiserver.drivers.oci_runtime import OciRuntime, features
from apiserver.drivers.process import Programs
from apiserver.drivers.threads import Threads
from apiserver.errors import CommandNotExecutable, CommandNotFound, ContainerNotRunning, NoSuchContainer, RuntimeFailed
from tests.support.bundles import config, make_bundle, make_rootfs, process
from tests.support.outside import until

VARIABLE = "APISERVER_TEST_RUNTIME"
NAME = os.environ.get(VARIABLE, "runc")
GROUP = f"/apiserver-test-{os.getpid()}"


def pause(seconds: float) -> Deferred[None]:
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


@dataclass
class Box:
    """Makes containers of one test, and removes them."""

    place: Path
    rootfs: Path
    runtime_path: Path
    programs: Programs = field(default_factory=lambda: Programs(reactor))
    made: list[CreateOptions] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conmon = Conmon(self.programs)
        self.runtime = OciRuntime(self.programs, self.runtime_path, self.place / "state" / NAME)

    def options(self, args: Sequence[str], *, spec: dict[str, Any] | None = None, **options: Any) -> CreateOptions:
        id = uuid.uuid4().hex * 2
        terminal = options.pop("terminal", False)
        linux = options.pop("linux", {})
        whole = spec or config(self.rootfs, args, terminal=terminal, cgroup=f"{GROUP}/{id}", **linux)
        self.made.append(make_bundle(self.place, id, self.runtime_path, whole, **options))
        return self.made[-1]

    async def create(self, args: Sequence[str], **options: Any) -> tuple[CreateOptions, Created]:
        made = self.options(args, **options)
        return made, await self.conmon.create(made)

    async def output(self, args: Sequence[str], **options: Any) -> tuple[dict[Stream, bytes], Exit]:
        """Run it and read all that it says."""
        made, _ = await self.create(args, **options)
        stdio = attach(reactor, made.attach_socket)
        await self.runtime.start(made.id)
        said = await everything(stdio)
        return said, await self.exit(made)

    async def exit(self, options: CreateOptions) -> Exit:
        for _ in range(1000):
            if (found := read_exit(options.exit_dir / options.id, options.persist_dir)) is not None:
                return found
            await pause(0.005)
        raise AssertionError("it did not end")

    async def remove_all(self) -> None:
        for options in self.made:
            await self.runtime.delete(options.id, force=True)


async def everything(stdio: Attachment) -> dict[Stream, bytes]:
    said = {Stream.STDOUT: bytearray(), Stream.STDERR: bytearray()}
    while (piece := await stdio.read()) is not None:
        said[piece[0]] += piece[1]
    stdio.close()
    return {stream: bytes(data) for stream, data in said.items()}


@pytest.fixture(scope="module", autouse=True)
def group() -> Iterator[None]:
    yield
    groups = Cgroups(read_host().hierarchies)
    for _ in range(100):
        groups.kill(GROUP)
        if groups.remove(GROUP):
            return
        time.sleep(0.02)  # a process is not yet put away
    raise AssertionError(f"processes are left: {groups.pids(GROUP)}")


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rootfs(tmp_path_factory.mktemp("rootfs"))


@pytest_twisted.async_yield_fixture
async def box(tmp_path: Path, rootfs: Path) -> AsyncIterator[Box]:
    path = which(NAME)
    assert path is not None
    box = Box(tmp_path, rootfs, path)
    yield box
    await box.remove_all()


@pytest.mark.long
@pytest.mark.parametrize(("runtime", "mode"), [("crun", "legacy"), ("crun", "unified"), ("runc", "unified")])
def test_all_of_this_holds_in_the_other_cgroup_modes(runtime: str, mode: str) -> None:
    change = {
        "legacy": "umount /sys/fs/cgroup/unified 2>/dev/null",
        "unified": "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup",
    }[mode]
    chosen = "not other_cgroup_modes"
    if mode == "unified":
        # v1 and v2 share the controllers of the whole kernel: where the host has v1, v2 has none left.
        chosen += " and not needs_controllers"
    alone = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'{change}; exec "$@"', "sh"]
    again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, __file__]
    done = subprocess.run(
        [*alone, *again],
        env={**os.environ, VARIABLE: runtime},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


# Create, start, attach.


@pytest_twisted.ensureDeferred
async def test_a_container_says_all_on_its_two_streams_and_leaves_its_code(box: Box) -> None:
    said, exit = await box.output(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert said == {Stream.STDOUT: b"out\n", Stream.STDERR: b"err\n"}
    assert (exit.code, exit.oom_killed) == (3, False)


@pytest_twisted.ensureDeferred
async def test_an_attachment_before_start_loses_no_byte(box: Box) -> None:
    said, _ = await box.output(["sh", "-c", "head -c 5000000 /dev/zero"])
    assert len(said[Stream.STDOUT]) == 5_000_000


@pytest_twisted.ensureDeferred
async def test_a_container_waits_between_create_and_start(box: Box) -> None:
    made, created = await box.create(["true"])
    state = await box.runtime.state(made.id)
    assert (state.status, state.pid, state.bundle) == ("created", created.pid, made.directory)
    assert start_time(created.pid) is not None
    assert Path(f"/proc/{created.conmon_pid}/comm").read_text() == "conmon\n"


@pytest_twisted.ensureDeferred
async def test_the_end_of_any_process_can_be_awaited(box: Box) -> None:
    made, created = await box.create(["sleep", "0.1"])
    first = Process(reactor, created.pid)
    ended = [first.ended(), first.ended()]
    await box.runtime.start(made.id)
    for each in ended:
        await each
    first.close()
    assert (await box.exit(made)).code == 0
    with pytest.raises(ProcessLookupError):
        Process(reactor, 2**22)


@pytest_twisted.ensureDeferred
async def test_a_signal_is_told_by_its_code(box: Box) -> None:
    made, _ = await box.create(["sleep", "60"])
    await box.runtime.start(made.id)
    await box.runtime.kill(made.id, signal.SIGKILL)
    assert (await box.exit(made)).code == 137


@pytest_twisted.ensureDeferred
async def test_stdin_passes_whole_and_its_end_is_seen(box: Box) -> None:
    made, _ = await box.create(["wc", "-c"], stdin=True)
    stdio = attach(reactor, made.attach_socket)
    await box.runtime.start(made.id)
    await stdio.write(bytes(1_000_003))
    stdio.close_write()
    assert (await everything(stdio))[Stream.STDOUT].strip() == b"1000003"


@pytest_twisted.ensureDeferred
async def test_stdin_that_nobody_reads_holds_the_writer_back(box: Box) -> None:
    made, _ = await box.create(["sleep", "60"], stdin=True)
    stdio = attach(reactor, made.attach_socket)
    await box.runtime.start(made.id)
    writing = Deferred.fromCoroutine(stdio.write(bytes(50_000_000)))
    await pause(0.3)
    assert not writing.called
    stdio.close()
    with pytest.raises(BrokenPipeError):
        await writing


@pytest_twisted.ensureDeferred
async def test_output_that_nobody_reads_holds_the_container_back(box: Box) -> None:
    made, created = await box.create(["sh", "-c", "head -c 50000000 /dev/zero; echo done >/tmp/done"])
    stdio = attach(reactor, made.attach_socket)
    await box.runtime.start(made.id)
    await pause(0.3)
    assert start_time(created.pid) is not None
    assert len((await everything(stdio))[Stream.STDOUT]) == 50_000_000


@pytest_twisted.ensureDeferred
async def test_without_stdin_left_open_the_first_to_leave_ends_it(box: Box) -> None:
    for leave_open, seconds in ((False, 0), (True, 0.3)):
        made, created = await box.create(["cat"], stdin=True, leave_stdin_open=leave_open)
        stdio = attach(reactor, made.attach_socket)
        await box.runtime.start(made.id)
        stdio.close()
        if leave_open:
            await pause(seconds)
            assert start_time(created.pid) is not None
        else:
            assert (await box.exit(made)).code == 0


@pytest_twisted.ensureDeferred
async def test_several_clients_hear_the_same(box: Box) -> None:
    made, created = await box.create(["echo", "hello"])
    before = sockets(created.conmon_pid)
    listeners = [Deferred.fromCoroutine(everything(attach(reactor, made.attach_socket))) for _ in range(3)]
    # conmon takes one connection in each round of its loop, and output counts for those that it has taken.
    until(lambda: sockets(created.conmon_pid) == before + 3, "all are taken")
    await box.runtime.start(made.id)
    assert [(await each)[Stream.STDOUT] for each in listeners] == [b"hello\n"] * 3


def sockets(pid: int) -> int:
    """How many a process holds."""
    return sum(os.readlink(entry).startswith("socket:") for entry in Path(f"/proc/{pid}/fd").iterdir())


@pytest_twisted.ensureDeferred
async def test_paths_may_be_longer_than_a_socket_address(box: Box) -> None:
    box.place = box.place / ("long" * 30)
    box.__post_init__()
    said, _ = await box.output(["echo", "far"])
    assert said[Stream.STDOUT] == b"far\n"


@pytest_twisted.ensureDeferred
async def test_nobody_listens_where_no_container_is(box: Box, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        attach(reactor, tmp_path / "gone" / "attach")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "attach"))
    with pytest.raises(ConnectionRefusedError):
        attach(reactor, tmp_path / "attach")


@pytest_twisted.ensureDeferred
async def test_the_log_has_what_was_said(box: Box) -> None:
    made, _ = await box.create(["sh", "-c", "echo out; printf part"], log=True)
    await box.runtime.start(made.id)
    await box.exit(made)
    lines = (made.directory / "ctr.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["stdout F out", "stdout P part"]


@pytest_twisted.ensureDeferred
async def test_no_descriptor_but_the_three_reaches_the_container(box: Box) -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        made = box.options(["sh", "-c", "ls -l /proc/1/fd"])
        created = await box.conmon.create(made, pass_fds=[port.fileno()])
        held = os.readlink(f"/proc/self/fd/{port.fileno()}")
        conmons = [
            os.readlink(f"/proc/{created.conmon_pid}/fd/{fd}") for fd in os.listdir(f"/proc/{created.conmon_pid}/fd")
        ]
        assert held in conmons  # conmon keeps the port as long as it lives
        stdio = attach(reactor, made.attach_socket)
        await box.runtime.start(made.id)
        listing = (await everything(stdio))[Stream.STDOUT].decode()
    numbers = {line.split(" -> ")[0].split()[-1] for line in listing.splitlines() if " -> " in line}
    assert numbers == {"0", "1", "2"}, listing
    assert "socket" not in listing


@pytest_twisted.ensureDeferred
async def test_conmon_is_put_into_its_own_cgroup_before_it_does_anything(box: Box) -> None:
    groups, threads = Cgroups(read_host().hierarchies), Threads(reactor)
    made = box.options(["true"])
    path = f"{GROUP}/conmon-{made.id}"
    groups.create(path)
    created = await box.conmon.create(made, place=lambda pid: threads.run(groups.move, path, pid))
    assert groups.pids(path) == {created.conmon_pid}
    lines = Path(f"/proc/{created.conmon_pid}/cgroup").read_text().splitlines()
    mounted = len(groups.hierarchies)
    assert sum(line.endswith(f":{path}") for line in lines) == mounted
    await box.runtime.start(made.id)
    await box.exit(made)
    for _ in range(200):
        if groups.remove(path):
            break
        await pause(0.01)
    assert not groups.exists(path)


# How it fails.


@pytest.mark.parametrize("command", ["nope", "/bin/nope"])
@pytest_twisted.ensureDeferred
async def test_a_missing_command_is_127(box: Box, command: str) -> None:
    made = box.options([command])
    with pytest.raises(CommandNotFound, match=r"executable file .*not found|no such file or directory") as caught:
        await box.conmon.create(made)
    assert (caught.value.exit_code, read_exit(made.exit_dir / made.id, made.persist_dir)) == (127, None)


@pytest.mark.parametrize("command", ["/bin/plain", "/tmp"])
@pytest_twisted.ensureDeferred
async def test_a_command_that_is_not_executable_is_126(box: Box, command: str) -> None:
    with pytest.raises(CommandNotExecutable, match="permission denied") as caught:
        await box.conmon.create(box.options([command]))
    assert caught.value.exit_code == 126


@pytest_twisted.ensureDeferred
async def test_other_refusals_are_in_the_runtimes_words(box: Box) -> None:
    spec = config(box.rootfs / "gone", ["true"])
    with pytest.raises(RuntimeFailed, match=r"rootfs|gone") as caught:
        await box.conmon.create(box.options([], spec=spec))
    assert caught.value.exit_code == 125


@pytest_twisted.ensureDeferred
async def test_conmons_own_refusal_is_heard(box: Box) -> None:
    made = box.options(["true"])
    shutil.rmtree(made.persist_dir)
    made.directory.joinpath("attach").mkdir()  # where the socket is to be
    with pytest.raises(RuntimeFailed):
        await box.conmon.create(made)


@pytest.mark.parametrize("cancelled", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_create_that_takes_too_long_is_given_up_and_nothing_of_it_goes_on(
    box: Box, tmp_path: Path, cancelled: bool
) -> None:
    slow = tmp_path / "slow-runtime"
    slow.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 60\n")
    slow.chmod(0o755)
    made = make_bundle(tmp_path, uuid.uuid4().hex * 2, slow, config(box.rootfs, ["true"]))
    creating = Deferred.fromCoroutine(box.conmon.create(made, time_limit=60 if cancelled else 0.5))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        await pause(0.01)
    if cancelled:
        creating.cancel()
    with pytest.raises(CancelledError if cancelled else RuntimeFailed):
        await creating
    pids = [int((tmp_path / "pid").read_text()), int(made.conmon_pid_file.read_text())]
    for _ in range(200):
        if not any(start_time(pid) for pid in pids):
            return
        await pause(0.01)
    pytest.fail(f"still there: {pids}")


@pytest_twisted.ensureDeferred
async def test_the_exit_command_runs_after_the_exit_files_and_after_a_failed_create(box: Box, tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = tmp_path / "exited"
    program.write_text(
        f'#!/bin/sh\ncat "$1" >{note}.part 2>/dev/null; echo "env $(env | cut -d= -f1 | sort | tr "\\n" " ")" '
        f">>{note}.part; mv {note}.part {note}\n"
    )
    program.chmod(0o755)
    for command, code in (("true", "0"), ("nope", "")):
        note.unlink(missing_ok=True)
        made = box.options([command])
        made = replace(made, exit_command=(str(program), str(made.exit_dir / made.id)))
        try:
            await box.conmon.create(made)
            await box.runtime.start(made.id)
        except CommandNotFound:
            assert command == "nope"
        for _ in range(400):
            if note.exists():
                break
            await pause(0.01)
        assert note.read_text().startswith(f"{code}env "), note.read_text()


# What the runtime is asked.


@pytest_twisted.ensureDeferred
async def test_a_container_that_is_not_there_is_told_apart(box: Box) -> None:
    for call in (box.runtime.start, box.runtime.kill, box.runtime.delete, box.runtime.state, box.runtime.pause):
        with pytest.raises(NoSuchContainer):
            await call("0" * 64)
    await box.runtime.delete("0" * 64, force=True)


@pytest_twisted.ensureDeferred
async def test_a_container_that_has_ended_is_told_apart(box: Box) -> None:
    made, _ = await box.create(["true"])
    await box.runtime.start(made.id)
    await box.exit(made)
    assert (await box.runtime.state(made.id)).status == "stopped"
    with pytest.raises(ContainerNotRunning):
        await box.runtime.kill(made.id)
    await box.runtime.delete(made.id)
    with pytest.raises(NoSuchContainer):
        await box.runtime.state(made.id)


@pytest_twisted.ensureDeferred
async def test_a_running_container_is_deleted_by_force_alone(box: Box) -> None:
    made, created = await box.create(["sleep", "60"])
    await box.runtime.start(made.id)
    with pytest.raises((RuntimeFailed, ContainerNotRunning)):
        await box.runtime.delete(made.id)
    await box.runtime.delete(made.id, force=True)
    assert start_time(created.pid) is None


@pytest_twisted.ensureDeferred
async def test_a_paused_container_stands_still(box: Box) -> None:
    made, _ = await box.create(["sleep", "60"])
    await box.runtime.start(made.id)
    await box.runtime.pause(made.id)
    assert (await box.runtime.state(made.id)).status == "paused"
    await box.runtime.resume(made.id)
    assert (await box.runtime.state(made.id)).status == "running"


@pytest_twisted.ensureDeferred
async def test_limits_change_while_it_runs_needs_controllers(box: Box) -> None:
    made, created = await box.create(["sleep", "60"])
    await box.runtime.start(made.id)
    await box.runtime.update(made.id, {"pids": {"limit": 77}})
    assert (memory_group(created.pid, "pids") / "pids.max").read_text().strip() == "77"


@pytest_twisted.ensureDeferred
async def test_an_out_of_memory_kill_is_told_needs_controllers(box: Box) -> None:
    limit = 16 * 1024 * 1024
    _, exit = await box.output(
        ["sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo $x"],
        linux={"resources": {"memory": {"limit": limit}}},
    )
    assert exit.oom_killed
    assert exit.code == 137


def memory_group(pid: int, controller: str) -> Path:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}")
        if not names and Path("/sys/fs/cgroup/cgroup.controllers").exists():
            return Path(f"/sys/fs/cgroup{path}")
    raise AssertionError(f"no {controller} for {pid}")


@pytest_twisted.ensureDeferred
async def test_features_are_those_of_the_binary(box: Box) -> None:
    found = await features(box.programs, box.runtime_path)
    assert found is None or "ociVersionMax" in found


# Terminals.


@pytest_twisted.ensureDeferred
async def test_a_terminal_has_the_size_that_was_set_between_create_and_start(box: Box) -> None:
    made, _ = await box.create(["sh", "-c", "sleep 0.3; stty size; read x; stty size"], terminal=True)
    stdio = attach(reactor, made.attach_socket)
    assert resize(made.control_fifo, 33, 101)
    await box.runtime.start(made.id)
    said = b""
    while b"33 101" not in said:
        piece = await stdio.read()
        assert piece is not None, said
        assert piece[0] is Stream.STDOUT
        said += piece[1]
    assert resize(made.control_fifo, 10, 20)
    await pause(0.2)
    await stdio.write(b"go\n")
    assert b"10 20" in (await everything(stdio))[Stream.STDOUT]


def test_nobody_is_told_a_size_where_no_container_is(tmp_path: Path) -> None:
    assert not resize(tmp_path / "ctl", 1, 1)
    os.mkfifo(tmp_path / "ctl")
    assert not resize(tmp_path / "ctl", 1, 1)
    assert not reopen_log(tmp_path / "ctl")


# Exec sessions.


def exec_options(box: Box, made: CreateOptions, args: Sequence[str], **options: Any) -> ExecOptions:
    id = uuid.uuid4().hex * 2
    directory = box.place / "exec" / id
    for name in ("exits", "persist"):
        (directory / name).mkdir(parents=True)
    terminal = options.get("terminal", False)
    (directory / "process.json").write_text(json.dumps(process(args, terminal=terminal)))
    return ExecOptions(
        id=made.id,
        name=made.name,
        runtime=made.runtime,
        runtime_root=made.runtime_root,
        directory=directory,
        exit_dir=directory / "exits",
        persist_dir=directory / "persist",
        exec_id=id,
        process_file=directory / "process.json",
        **options,
    )


async def running(box: Box) -> CreateOptions:
    made, _ = await box.create(["sleep", "600"])
    await box.runtime.start(made.id)
    return made


async def exec_(box: Box, made: CreateOptions, args: Sequence[str], **options: Any) -> tuple[ExecOptions, Session]:
    size = options.pop("size", None)
    chosen = exec_options(box, made, args, **options)
    return chosen, await ExecSessions(box.programs).start(chosen, size=size)


@pytest_twisted.ensureDeferred
async def test_an_exec_session_loses_no_byte_and_has_its_code(box: Box) -> None:
    options, session = await exec_(
        box, await running(box), ["sh", "-c", "echo out; echo err >&2; cat; exit 5"], stdin=True
    )
    assert session.stdio is not None
    await session.stdio.write(b"typed\n" * 20000)
    session.stdio.close_write()
    said = await everything(session.stdio)
    assert said == {Stream.STDOUT: b"out\n" + b"typed\n" * 20000, Stream.STDERR: b"err\n"}
    assert await session.exit_code() == 5
    # and it outlives us, under the container's name
    kept = read_exit(options.exit_dir / options.id, options.persist_dir)
    assert kept is not None
    assert kept.code == 5


@pytest_twisted.ensureDeferred
async def test_an_exec_session_is_a_process_in_the_container(box: Box) -> None:
    made = await running(box)
    _, session = await exec_(box, made, ["sleep", "60"])
    state = await box.runtime.state(made.id)
    same = [os.stat(f"/proc/{pid}/ns/pid").st_ino for pid in (session.pid, state.pid)]
    assert same[0] == same[1]
    os.kill(session.pid, signal.SIGTERM)
    assert await session.exit_code() == 128 + signal.SIGTERM
    session.close()


@pytest_twisted.ensureDeferred
async def test_a_detached_exec_session_leaves_its_code_in_its_own_directory(box: Box) -> None:
    made = await running(box)
    options, session = await exec_(box, made, ["sh", "-c", "exit 9"], attach=False)
    assert session.stdio is None
    session.close()
    for _ in range(400):
        if (kept := read_exit(options.exit_dir / options.id, options.persist_dir)) is not None:
            break
        await pause(0.005)
    assert kept is not None
    assert kept.code == 9
    assert not (made.exit_dir / made.id).exists()


@pytest.mark.parametrize("terminal", [False, True])
@pytest_twisted.ensureDeferred
async def test_an_exec_of_a_missing_command_is_127(box: Box, terminal: bool) -> None:
    with pytest.raises(CommandNotFound):
        await exec_(box, await running(box), ["nope"], terminal=terminal)


@pytest_twisted.ensureDeferred
async def test_an_exec_of_what_is_not_executable_is_126(box: Box) -> None:
    with pytest.raises(CommandNotExecutable):
        await exec_(box, await running(box), ["/bin/plain"])


@pytest_twisted.ensureDeferred
async def test_an_exec_terminal_has_its_size(box: Box) -> None:
    made = await running(box)
    script = "sleep 0.3; stty size; read x; stty size"
    options, session = await exec_(box, made, ["sh", "-c", script], terminal=True, stdin=True, size=(44, 55))
    assert session.stdio is not None
    said = b""
    while b"44 55" not in said:
        piece = await session.stdio.read()
        assert piece is not None, said
        said += piece[1]
    resize(options.control_fifo, 12, 34)
    await pause(0.2)
    await session.stdio.write(b"go\n")
    assert b"12 34" in (await everything(session.stdio))[Stream.STDOUT]
    session.close()


@pytest_twisted.ensureDeferred
async def test_no_descriptor_but_the_three_reaches_an_exec_session(box: Box) -> None:
    _, session = await exec_(box, await running(box), ["sh", "-c", "ls -l /proc/$$/fd"])
    assert session.stdio is not None
    listing = (await everything(session.stdio))[Stream.STDOUT].decode()
    assert {line.split(" -> ")[0].split()[-1] for line in listing.splitlines() if " -> " in line} == {"0", "1", "2"}
    session.close()


@pytest_twisted.ensureDeferred
async def test_an_exec_in_a_container_that_ended_fails(box: Box) -> None:
    made, _ = await box.create(["true"])
    await box.runtime.start(made.id)
    await box.exit(made)
    with pytest.raises(RuntimeFailed):
        await exec_(box, made, ["true"])


@pytest_twisted.ensureDeferred
async def test_neither_runtime_nor_conmon_can_be_overwritten_from_inside(tmp_path: Path, rootfs: Path) -> None:
    found = {name: which(name) for name in (NAME, "conmon")}
    copies = {}
    for name, path in found.items():
        assert path is not None
        copies[name] = Path(shutil.copy(path, tmp_path / name))  # should it succeed, it is not the machine's
    box = Box(tmp_path, rootfs, copies[NAME])
    conmon, sessions = Conmon(box.programs, str(copies["conmon"])), ExecSessions(box.programs, str(copies["conmon"]))
    before = {path: path.read_bytes() for path in copies.values()}
    # Writes to whatever any process but this shell executes, for as long as it lives.
    script = (
        "while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || echo x 2>/dev/null >>$p/exe; done; done 2>/dev/null"
    )
    made = box.options(["sh", "-c", script])
    try:
        await conmon.create(made)
        await box.runtime.start(made.id)
        for command in (["true"], ["/proc/self/exe"]) * 5:
            try:
                session = await sessions.start(exec_options(box, made, command))
            except RuntimeFailed:
                continue
            assert session.stdio is not None
            await everything(session.stdio)
            await session.exit_code()
            session.close()
    finally:
        await box.remove_all()
    assert {path: path.read_bytes() for path in copies.values()} == before
