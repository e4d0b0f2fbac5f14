"""Every external program goes through here: found, started clean, fed, limited, killed and reaped."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.config.host.programs import SEARCH_PATH, which
from apiserver.drivers.linux.pidfd import Process
from apiserver.drivers.linux.pipes import PipeReader, PipeWriter
from apiserver.drivers.linux.readiness import Reactor
from apiserver.errors import HostError, ProgramMissing

log = Logger()

STDERR_KEPT = 64 * 1024
STDERR_SHOWN = 2000
STDOUT_LIMIT = 64 * 1024 * 1024

Sink = Callable[[bytes], Awaitable[object]]
_ALL_SIGNALS = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, 32, 33})


class Completed(Struct, frozen=True):
    """How a program ended: `code` is 0 to 255, 128 + n when signal n ended it. Of stderr the last 64 KiB are kept."""

    stdout: bytes
    stderr: bytes
    code: int


class ProgramFailed(HostError):
    """A program ended with a code that its caller did not expect, took too long, or said too much.

    Attributes:
        program: its argv[0].
        code: as in `Completed`.
        stderr: the tail of what it said, as in `Completed`; stdout, where that holds the error.
        why: what became of it, without anything that it said.
    """

    cause = "program failed"
    docker = libpod = "{subject}"

    def __init__(self, program: str, code: int, stderr: bytes, why: str | None = None) -> None:
        self.program, self.code, self.stderr = program, code, stderr[-2 * STDERR_KEPT :]
        said = self.stderr[-STDERR_SHOWN:].decode(errors="replace").strip()
        self.why = why or f"exit status {code}"
        super().__init__(f"{os.path.basename(program)}: {self.why}" + (f": {said}" if said else ""))


class Child:
    """A running program. Whoever started it reads its output and awaits `exited`; it is reaped in any case."""

    def __init__(
        self, reactor: Reactor, pid: int, stdin: PipeWriter | None, stdout: PipeReader | None, stderr: PipeReader | None
    ) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.code: int | None = None
        self._waiters: list[Deferred[int]] = []
        self._process = Process(reactor, pid)
        self._process.ended().addCallback(self._reap)

    def exited(self) -> Deferred[int]:
        """Fires with the code of `Completed`; each caller has its own Deferred, and cancelling it does no harm."""
        waiter: Deferred[int] = Deferred(lambda gone: self._waiters.remove(gone))
        if self.code is not None:
            waiter.callback(self.code)
        else:
            self._waiters.append(waiter)
        return waiter

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the program and its process group; nothing happens once it has ended."""
        if self.code is None:
            # Not reaped yet, so neither its pid nor its group can belong to anybody else.
            os.killpg(self.pid, number)

    def end_of_output(self) -> None:
        """What is in its pipes now is all that will be read: call it once the program has ended."""
        for reader in (self.stdout, self.stderr):
            if reader is not None:
                reader.end_when_empty()

    def close(self) -> None:
        """Close our ends of its pipes."""
        for end in (self.stdin, self.stdout, self.stderr):
            if end is not None:
                end.close()

    def _reap(self, _: None) -> None:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == 0:
                # It lives: the reactor ends and has let go of all descriptors. It may be meant to outlive us.
                return
            code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            log.error("the exit status of process {pid} went to somebody else", pid=self.pid)
            code = 255
        self.code = 128 - code if code < 0 else code
        self._process.close()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(self.code)


class Programs:
    """Starts programs with a clean environment, default signals, and no descriptor but the named ones.

    posix_spawn, not the reactor's own spawnProcess: with 300 descriptors open it holds the reactor for 0.2 ms and
    not for 1.3. It closes nothing, so every descriptor here must be close-on-exec; those inherited are made so.
    """

    def __init__(
        self,
        reactor: Reactor,
        *,
        search_path: Sequence[str] = SEARCH_PATH,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.reactor = reactor
        self._search_path = tuple(search_path)
        base = {"HOME": "/root", "LANG": "C.UTF-8"} if environment is None else dict(environment)
        self._environment = {"PATH": ":".join(self._search_path), **base}
        _keep_descriptors_here()

    def find(self, program: str) -> str:
        """The absolute path of a program named alone or by path.

        Raises:
            ProgramMissing
        """
        found = which(program, self._search_path)
        if found is None:
            raise ProgramMissing(program)
        return str(found)

    def start(
        self,
        argv: Sequence[str],
        *,
        stdin: bool = False,
        stdout: bool | int = False,
        stderr: bool | int = False,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Child:
        """Start a program in a process group of its own.

        Args:
            argv: argv[0] is a name to look for, or a path.
            stdin: True for a pipe; else /dev/null.
            stdout: True for a pipe, a descriptor of the caller's, or else /dev/null; `stderr` alike.
            env: added to the clean environment.
            pass_fds: descriptors it gets under the same numbers; they stay the caller's to close.

        Raises:
            ProgramMissing, HostError (it cannot be started).
        """
        path = self.find(argv[0])
        arguments = list(argv)
        if cwd is not None:
            # posix_spawn of Python cannot change the directory; env of coreutils can.
            arguments = ["env", f"--chdir={cwd}", path, *arguments[1:]]
            path = self.find("env")
        with _Ends(self.reactor) as ends:
            actions: list[tuple[Any, ...]] = [
                ends.reads_here(0) if stdin else (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
            ]
            for number, target in ((1, stdout), (2, stderr)):
                if target is True:
                    actions.append(ends.writes_here(number))
                elif target is False:
                    actions.append((os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_WRONLY, 0))
                else:
                    actions.append((os.POSIX_SPAWN_DUP2, target, number))
            # A dup2 onto itself takes the close-on-exec flag away (POSIX says so for posix_spawn).
            actions += [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in pass_fds]
            try:
                pid = os.posix_spawn(
                    path,
                    arguments,
                    self._environment | dict(env or {}),
                    file_actions=actions,
                    setsigmask=(),
                    setsigdef=_ALL_SIGNALS,
                    setpgroup=0,
                )
            except OSError as error:
                raise HostError(f"{path} cannot be started: {error.strerror}") from error
            return ends.child(pid)

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | AsyncIterable[bytes] | None = None,
        stdout: Sink | None = None,
        time_limit: float | None = 60.0,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        ok_codes: Sequence[int] | None = (0,),
        stdout_limit: int = STDOUT_LIMIT,
        pass_fds: Sequence[int] = (),
        grace: float = 0.0,
        started: Callable[[Child], object] | None = None,
        heard: Callable[[bytes], object] | None = None,
    ) -> Completed:
        """Run a program to its end. Cancelling kills it.

        Args:
            stdin: what it reads; a source is asked for more only as fast as the program takes it, and cancelled
                when the program ends first.
            stdout: awaited with each piece as it comes; `Completed.stdout` is then empty.
            time_limit: seconds, after which it is killed; None for no limit.
            ok_codes: every other code is `ProgramFailed`; None accepts all.
            stdout_limit: bytes that may be kept without a sink; more is `ProgramFailed`.
            grace: seconds between SIGTERM and SIGKILL when it is killed; 0 sends SIGKILL at once.
            started: gets the child, to watch it.
            heard: called with each piece of its standard error as it comes; the end of that is kept all the same.

        Raises:
            ProgramMissing, ProgramFailed; what `stdin` or `stdout` raise (the program is killed first).
        """
        child = self.start(argv, stdin=stdin is not None, stdout=True, stderr=True, env=env, cwd=cwd, pass_fds=pass_fds)
        if started is not None:
            started(child)
        kept: list[bytes] = []
        tail: deque[bytes] = deque()
        reading = [
            Deferred.fromCoroutine(_keep_tail(child, tail, heard)),
            Deferred.fromCoroutine(_pass_on(child, stdout) if stdout else _keep(child, kept, stdout_limit, argv[0])),
        ]
        feeding = [] if stdin is None else [Deferred.fromCoroutine(_feed(child, stdin))]
        timed_out = False

        def too_long() -> None:
            nonlocal timed_out
            timed_out = True
            self.end(child, grace)

        def fail(failure: Failure) -> Failure:
            child.kill()
            return failure

        timer = None if time_limit is None else self.reactor.callLater(time_limit, too_long)
        try:
            for part in (*reading, *feeding):
                part.addErrback(fail)
            code = await child.exited()
            for part in feeding:
                if not part.called:
                    part.addErrback(lambda failure: failure.trap(CancelledError) and None)
                    part.cancel()
            child.end_of_output()
            while feeding:
                await feeding.pop()
            while reading:
                await reading.pop()
        finally:
            if timer is not None and timer.active():
                timer.cancel()
            if child.code is None:
                self.end(child, grace)
            for part in (*reading, *feeding):
                # Only when something else failed already: that is what the caller hears.
                part.addErrback(lambda failure: log.debug("{why}", why=failure.getErrorMessage()))
                part.cancel()
            child.close()
        errors = b"".join(tail)
        if timed_out:
            raise ProgramFailed(argv[0], code, errors, f"took longer than {time_limit:g} s")
        output = b"".join(kept)
        if ok_codes is not None and code not in ok_codes:
            raise ProgramFailed(argv[0], code, errors or output)
        return Completed(output, errors, code)

    def end(self, child: Child, grace: float = 0.0) -> None:
        """Kill a child; with `grace`, ask by SIGTERM first and kill after so many seconds."""
        if grace <= 0:
            child.kill()
            return
        child.kill(signal.SIGTERM)
        timer = self.reactor.callLater(grace, child.kill)
        child.exited().addCallback(lambda _: timer.cancel() if timer.active() else None)


async def _feed(child: Child, source: bytes | AsyncIterable[bytes]) -> None:
    assert child.stdin is not None
    try:
        if isinstance(source, bytes):
            await child.stdin.write(source)
        else:
            async for piece in source:
                await child.stdin.write(piece)
    except BrokenPipeError:
        pass  # it has read what it wanted; its exit code tells whether that was enough
    finally:
        child.stdin.close()


async def _keep(child: Child, kept: list[bytes], limit: int, program: str) -> None:
    assert child.stdout is not None
    size = 0
    while data := await child.stdout.read():
        size += len(data)
        if size > limit:
            raise ProgramFailed(program, 0, b"", f"wrote more than {limit} bytes")
        kept.append(data)


async def _keep_tail(child: Child, tail: deque[bytes], heard: Callable[[bytes], object] | None) -> None:
    assert child.stderr is not None
    size = 0
    while data := await child.stderr.read():
        if heard is not None:
            heard(data)
        tail.append(data)
        size += len(data)
        while size - len(tail[0]) >= STDERR_KEPT:
            size -= len(tail.popleft())


async def _pass_on(child: Child, sink: Sink) -> None:
    assert child.stdout is not None
    while data := await child.stdout.read():
        await sink(data)


class _Ends:
    """The pipes of a child that is about to start: its ends are closed here, ours too if it does not start."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._theirs: list[int] = []
        self._ours: dict[int, int] = {}

    def __enter__(self) -> _Ends:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (*self._theirs, *self._ours.values()):
            os.close(fd)

    def reads_here(self, number: int) -> tuple[Any, ...]:
        theirs, self._ours[number] = os.pipe2(os.O_CLOEXEC)
        self._theirs.append(theirs)
        return (os.POSIX_SPAWN_DUP2, theirs, number)

    def writes_here(self, number: int) -> tuple[Any, ...]:
        self._ours[number], theirs = os.pipe2(os.O_CLOEXEC)
        self._theirs.append(theirs)
        return (os.POSIX_SPAWN_DUP2, theirs, number)

    def child(self, pid: int) -> Child:
        ours, self._ours = self._ours, {}
        return Child(
            self._reactor,
            pid,
            PipeWriter(self._reactor, ours[0]) if 0 in ours else None,
            PipeReader(self._reactor, ours[1]) if 1 in ours else None,
            PipeReader(self._reactor, ours[2]) if 2 in ours else None,
        )


def _keep_descriptors_here() -> None:
    """Make every descriptor but 0, 1 and 2 close-on-exec: what our own parent left open must not reach a child."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                continue  # the descriptor of this very listing
