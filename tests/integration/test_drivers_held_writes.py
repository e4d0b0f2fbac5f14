"""Programs that the kernel holds at what they write to their standard error."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from apiserver.drivers.linux import held_program
from apiserver.drivers.linux.held_writes import run_held, why_not_held
from apiserver.drivers.process import Child, ProgramFailed, Programs
from apiserver.errors import HostError

CAP_SYS_PTRACE = 19
SAYS_AND_DOES = "import os, sys\nfor each in sys.argv[1:]:\n  os.write(2, each.encode())\n  open(each, 'x').close()"


@pytest.fixture
def programs() -> Programs:
    return Programs(reactor)


def open_descriptors() -> set[tuple[str, str]]:
    """Number and what it is of each descriptor of ours."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the descriptor of this very listing
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
    return found


def says_and_does(*files: Path) -> Sequence[str]:
    """A program that says the name of each file and then makes it."""
    return ["python3", "-c", SAYS_AND_DOES, *map(str, files)]


@pytest_twisted.ensureDeferred
async def test_it_waits_at_each_write_until_that_was_heard(programs: Programs, tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    there: list[tuple[str, list[str]]] = []

    def heard(text: bytes) -> None:
        there.append((Path(text.decode()).name, sorted(os.listdir(tmp_path))))

    done = await run_held(programs, [], says_and_does(*files), heard)
    assert there == [("a", []), ("b", ["a"]), ("c", ["a", "b"])]
    assert (done.code, done.stderr.decode()) == (0, "".join(map(str, files)))


@pytest_twisted.ensureDeferred
async def test_it_never_does_what_is_refused(programs: Programs, tmp_path: Path) -> None:
    children: list[Child] = []

    def heard(text: bytes) -> None:
        if text.endswith(b"b"):
            raise ValueError("not b")

    with pytest.raises(ValueError, match="not b"):
        await run_held(programs, [], says_and_does(tmp_path / "a", tmp_path / "b"), heard, started=children.append)
    assert os.listdir(tmp_path) == ["a"]
    assert children[0].code == 137


@pytest_twisted.ensureDeferred
async def test_what_its_children_write_is_held_too_and_what_it_writes_elsewhere_is_not(programs: Programs) -> None:
    said: list[bytes] = []
    command = "import os, sys; os.write(1, b'out'); os.system(sys.argv[1])"
    done = await run_held(programs, [], ["python3", "-c", command, "nosuchcommand"], said.append)
    assert (done.stdout, done.stderr, b"nosuchcommand: not found" in done.stderr) == (b"out", b"".join(said), True)


@pytest_twisted.ensureDeferred
async def test_it_never_writes_what_is_too_long_to_be_read(programs: Programs, tmp_path: Path) -> None:
    said: list[int] = []
    command = "import os, sys; [os.write(2, bytes(1 << 20) + bytes(n)) for n in (0, 1)]; open(sys.argv[1], 'x')"
    with pytest.raises(HostError, match="cannot be held at what it says: it writes 1048577 bytes at once"):
        await run_held(
            programs, [], ["python3", "-c", command, str(tmp_path / "a")], lambda text: said.append(len(text))
        )
    assert (said, os.listdir(tmp_path)) == ([1 << 20], [])


@pytest_twisted.ensureDeferred
async def test_a_write_of_what_is_not_there_is_not_let_go(programs: Programs, tmp_path: Path) -> None:
    """Half of it lies behind the end of a mapping: the kernel would write the first half."""
    command = (
        "import ctypes, mmap, sys; libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p\n"
        "page = mmap.PAGESIZE; at = libc.mmap(None, ctypes.c_size_t(2 * page), 3, 0x22, -1, ctypes.c_long(0))\n"
        "libc.munmap(ctypes.c_void_p(at + page), ctypes.c_size_t(page))\n"
        "libc.write(2, ctypes.c_void_p(at), ctypes.c_size_t(2 * page)); open(sys.argv[1], 'x')"
    )
    with pytest.raises(HostError, match="of 8192 bytes that it writes 4096 can be read"):
        await run_held(programs, [], ["python3", "-c", command, str(tmp_path / "a")], lambda _: None)
    assert os.listdir(tmp_path) == []


@pytest_twisted.ensureDeferred
async def test_its_end_and_its_failure_are_those_of_a_program(programs: Programs) -> None:
    assert (await run_held(programs, ["env", "A=b"], ["sh", "-c", 'echo "$A"'], lambda _: None)).stdout == b"b\n"
    with pytest.raises(ProgramFailed) as caught:
        await run_held(programs, [], ["python3", "-c", "import sys; sys.exit('it broke')"], lambda _: None)
    assert (caught.value.code, caught.value.stderr) == (1, b"it broke\n")


@pytest_twisted.ensureDeferred
async def test_cancelled_it_ends_and_leaves_no_descriptor(programs: Programs) -> None:
    before = open_descriptors()
    children: list[Child] = []
    begun: Deferred[None] = Deferred()
    command = ["python3", "-c", "import os, time; os.write(2, b'.'); time.sleep(60)"]
    running = Deferred.fromCoroutine(
        run_held(programs, [], command, lambda _: begun.callback(None), started=children.append)
    )
    await begun
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    assert await children[0].exited() == 137
    assert open_descriptors() <= before


@pytest_twisted.ensureDeferred
async def test_where_the_kernel_cannot_hold_it_that_is_an_error_and_it_does_nothing(
    programs: Programs, tmp_path: Path
) -> None:
    """A process is held by one only: another filter before ours does so."""
    held_twice = (
        "import os, socket, sys\n"
        "socket_ = socket.socketpair()[1].detach()\n"
        "os.set_inheritable(socket_, True)\n"
        "os.execv(sys.argv[1], [*sys.argv[1:4], str(socket_), *sys.argv[4:]])"
    )
    becomes = [sys.executable, "-IS", held_program.__file__]
    with pytest.raises(ProgramFailed, match="or has one from somebody else"):
        await run_held(
            programs, [], ["python3", "-c", held_twice, *becomes, *says_and_does(tmp_path / "a")], lambda _: None
        )
    assert os.listdir(tmp_path) == []
    with pytest.raises(ProgramFailed, match="nosuchprogram cannot be run: No such file"):
        await run_held(programs, [], ["nosuchprogram"], lambda _: None)
    with pytest.raises(HostError, match=r"cannot be held at what it says: .*nosuchcommand"):
        await run_held(programs, ["env", "nosuchcommand"], ["true"], lambda _: None)


@contextmanager
def without_capability(number: int) -> Iterator[None]:
    """In this thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    of_this_thread = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(of_this_thread, before) == 0
    less = (ctypes.c_uint32 * 6)(*before)
    less[number // 32 * 3] &= ~(1 << number % 32)
    assert libc.capset(of_this_thread, less) == 0
    try:
        yield
    finally:
        assert libc.capset(of_this_thread, before) == 0


@pytest_twisted.ensureDeferred
async def test_where_we_may_not_look_into_it_that_is_an_error_and_it_does_nothing(
    programs: Programs, tmp_path: Path
) -> None:
    running = Deferred.fromCoroutine(run_held(programs, [], says_and_does(tmp_path / "a"), lambda _: None))
    with (
        without_capability(CAP_SYS_PTRACE),
        pytest.raises(HostError, match=r"cannot be held at what it says: .*denied"),
    ):
        await running
    assert os.listdir(tmp_path) == []


def test_before_a_push_it_is_seen_whether_programs_can_be_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_descriptors()
    assert why_not_held(10) is None
    with without_capability(CAP_SYS_PTRACE):
        assert "denied" in str(why_not_held(10))
    monkeypatch.setattr("apiserver.drivers.linux.held_writes._PROGRAM", tmp_path / "missing.py")
    assert "No such file or directory" in str(why_not_held(10))
    assert open_descriptors() <= before
