"""A program is held at each write to its standard error until we have read it, and so before it does what it says.

The kernel holds it: seccomp's user notification, with Linux 5.6 or later.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from apiserver.drivers.linux.readiness import Descriptor
from apiserver.drivers.linux.syscalls import PIDFD_GETFD, syscall
from apiserver.drivers.process import Child, Completed, ProgramFailed, Programs
from apiserver.errors import HostError

_PROGRAM = Path(__file__).with_name("held_program.py")
_RECEIVE, _SEND, _IS_HELD = 0xC0502100, 0xC0182101, 0x40082102
_CONTINUE = 1
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")  # id, thread, flags; number, architecture, address, arguments of the call
_ANSWER = struct.Struct("=QqiI")  # id, result, error, flags
_LONGEST = 1 << 20
"""Bytes that one write may have: what nobody has read is not let go."""


async def run_held(
    programs: Programs,
    before: Sequence[str],
    argv: Sequence[str],
    heard: Callable[[bytes], object],
    *,
    started: Callable[[Child], object] | None = None,
    **options: Any,
) -> Completed:
    """`Programs.run`, where the program waits at each write to its standard error until `heard` has returned.

    Args:
        before: a command that becomes the one that follows it, `setpriv ... --`; it is not held.
        heard: called with the bytes of each write. If it raises, the program is killed without going on, and that is
            raised here.
        options: more of `Programs.run`.

    Raises:
        HostError: it cannot be held: a filter before us does so already, nobody may look into other processes
            (kernel.yama.ptrace_scope=3), or libseccomp is missing; or it writes more than a MiB at once.
        what `Programs.run` and `heard` raise.
    """
    children: list[Child] = []
    wrong: list[BaseException] = []

    def began(child: Child) -> None:
        children.append(child)
        if started is not None:
            started(child)

    def cannot(why: object) -> HostError:
        return HostError(f"{argv[0]} cannot be held at what it says: {why}")

    def stop(failure: Failure) -> None:
        assert failure.value is not None
        wrong.append(cannot(failure.value) if failure.check(_NotSeen) else failure.value)
        for child in children:
            child.kill()

    ours, theirs = os.pipe2(os.O_CLOEXEC)
    holding = _Holding(programs, ours, children, heard)
    serving = Deferred.fromCoroutine(holding.serve())
    serving.addErrback(stop)
    try:
        becomes = [sys.executable, "-IS", str(_PROGRAM), str(theirs)]
        done = await programs.run([*before, *becomes, *argv], pass_fds=(theirs,), started=began, **options)
    except ProgramFailed as error:
        if wrong:
            raise wrong[0] from None
        if not holding.begun:
            raise cannot(error.stderr.decode(errors="replace").strip()) from None
        raise
    finally:
        holding.close()
        os.close(theirs)
    if wrong:
        raise wrong[0]
    return done


class _NotSeen(Exception):
    """We may not look into the program, or not at all of what it writes."""


class _Holding:
    """
    Args:
        pipe: is written into once the program is held; closed here.
        children: the program, as soon as it is started.

    Attributes:
        begun: it is held, and does nothing that was not heard.
    """

    def __init__(
        self, programs: Programs, pipe: int, children: Sequence[Child], heard: Callable[[bytes], object]
    ) -> None:
        self._reactor = programs.reactor
        self._pipe = Descriptor(self._reactor, pipe)
        self._held: Descriptor | None = None
        self._children = children
        self._heard = heard
        self.begun = False

    def close(self) -> None:
        """The program has ended, or been killed; `serve` returns, even where it is `heard` that has this called."""
        self._pipe.close()
        if self._held is not None:
            self._held.close()

    async def serve(self) -> None:
        """Returns when nobody is held any more."""
        await self._pipe.readable()
        number = b"" if self._pipe.closed else os.read(self._pipe.fileno(), 16)
        if not number:
            return  # it could not be held, and has said why
        self.begun = True
        try:
            held = self._held = Descriptor(self._reactor, _descriptor_of(self._children[0].pid, int(number)))
        except OSError as error:
            if error.errno in (errno.ESRCH, errno.EBADF):
                return  # it was killed at this moment, and has let go of what it had
            raise _NotSeen(error) from error
        while True:
            await held.readable()
            if held.closed:
                return
            happened = _poll(held.fileno())
            if happened & select.POLLIN:
                self._look(held)
            elif happened:
                return

    def _look(self, held: Descriptor) -> None:
        for number, text in _received(held.fileno()):
            self._heard(text)
            if not held.closed:
                _let_go(held.fileno(), number)


def why_not_held(time_limit: float) -> str | None:
    """What keeps programs from being held here; None where they can be. Blocks.

    Args:
        time_limit: seconds for it.
    """
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    python = [sys.executable, "-IS"]
    argv = [*python, str(_PROGRAM), str(theirs), *python, "-c", "import os; os.write(2, b'held')"]
    with (
        open(ours, "rb", buffering=0) as pipe,
        subprocess.Popen(argv, pass_fds=(theirs,), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as program,
    ):
        os.close(theirs)
        try:
            if not _poll(ours, time_limit):
                return f"it is not held after {time_limit:g} s"
            number = pipe.read(16)
            if not number:
                return program.communicate(timeout=time_limit)[1].decode(errors="replace").strip()
            held = _descriptor_of(program.pid, int(number))
            try:
                if not _poll(held, time_limit) & select.POLLIN:
                    return "the kernel told nothing of what it wrote"
                for each, text in _received(held):
                    _let_go(held, each)
                    if text != b"held":
                        return f"what it writes is read as {text[:80]!r}"
            finally:
                os.close(held)
            return None
        except (OSError, _NotSeen, subprocess.TimeoutExpired) as error:
            return str(error)
        finally:
            program.kill()


def _received(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """The id and the bytes of what is held; of nothing, where a signal has ended it meanwhile: it is made again."""
    notification = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(descriptor, _RECEIVE, notification)
        number, thread, _, _, _, _, _, address, size, *_ = _NOTIFICATION.unpack(notification)
        if size > _LONGEST:
            raise _NotSeen(f"it writes {size} bytes at once")
        with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
            memory.seek(address)
            text = memory.read(size)
        # Only what is held still was read for certain: another process may have its number by now.
        fcntl.ioctl(descriptor, _IS_HELD, struct.pack("=Q", number))
    except (FileNotFoundError, ProcessLookupError, InterruptedError):
        return
    except OSError as error:
        raise _NotSeen(error) from error
    if len(text) < size:
        raise _NotSeen(f"of {size} bytes that it writes {len(text)} can be read")
    yield number, text


def _let_go(descriptor: int, number: int) -> None:
    with suppress(FileNotFoundError):  # as above
        fcntl.ioctl(descriptor, _SEND, _ANSWER.pack(number, 0, 0, _CONTINUE))


def _descriptor_of(pid: int, number: int) -> int:
    """A descriptor of ours for what another process has."""
    process = os.pidfd_open(pid)
    try:
        return syscall(PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)


def _poll(descriptor: int, seconds: float = 0) -> int:
    """What has happened; to receive where nothing is held would block."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return next((happened for _, happened in poll.poll(seconds * 1000)), 0)
