"""Starting conmon: the pipes by which it is told to go on and tells what came of it."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType

from msgspec import Struct
from twisted.internet.defer import CancelledError

from apiserver.drivers.conmon.argv import CreateOptions, Monitored, create_argv
from apiserver.drivers.conmon.room import room
from apiserver.drivers.linux.readiness import Reactor
from apiserver.drivers.linux.seqpacket import PacketSocket
from apiserver.drivers.oci_log import read_failure
from apiserver.drivers.process import Child, Programs
from apiserver.errors import EngineError, RuntimeFailed

Place = Callable[[int], Awaitable[object]]
"""Awaited with conmon's pid before it does anything: puts it into a cgroup of its own."""


class Created(Struct, frozen=True):
    """A container that waits to be started: its first process, and the conmon that watches it."""

    pid: int
    conmon_pid: int


class Conmon:
    """Starts conmon for containers.

    Args:
        path: conmon's name, or its absolute path.
    """

    def __init__(self, programs: Programs, path: str = "conmon") -> None:
        self._programs = programs
        self._path = path

    async def create(
        self,
        options: CreateOptions,
        *,
        place: Place | None = None,
        pass_fds: Sequence[int] = (),
        time_limit: float = 120.0,
    ) -> Created:
        """Create a container from the bundle `options.directory`; it is not started.

        Args:
            pass_fds: descriptors that conmon keeps open as long as it lives, such as bound ports; close yours after.
            time_limit: seconds until conmon is killed and `RuntimeFailed` raised. Cancelling kills it too.

        Raises:
            CommandNotFound, CommandNotExecutable: what `process.args` names.
            RuntimeFailed: anything else that the runtime said. The exit command runs nevertheless; nothing else remains
                but perhaps a cgroup and the runtime's state: `OciRuntime.delete` with force.
            ProgramMissing
        """
        with Handshake(self._programs, options) as handshake:
            await handshake.start(create_argv(self._path, options), place=place, pass_fds=pass_fds)
            with handshake.limited(time_limit):
                pid = await handshake.pid()
                await handshake.detached()
        return Created(pid, int(options.conmon_pid_file.read_text()))


class Handshake:
    """One start of conmon, from its fork to the pid that it reports; used by `create` and by exec sessions."""

    def __init__(self, programs: Programs, options: Monitored, *, attach_pipe: bool = False) -> None:
        self._programs = programs
        self._options = options
        self._reactor: Reactor = programs.reactor
        self._attach_pipe = attach_pipe
        self._pairs: dict[str, tuple[PacketSocket, socket.socket]] = {}
        self._child: Child | None = None
        self._kept = False
        self._timed_out = False

    def __enter__(self) -> Handshake:
        names = ["_OCI_SYNCPIPE", "_OCI_STARTPIPE"] + (["_OCI_ATTACHPIPE"] if self._attach_pipe else [])
        for name in names:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._pairs[name] = (PacketSocket(self._reactor, ours), theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name, (ours, theirs) in self._pairs.items():
            theirs.close()
            if not (self._kept and name == "_OCI_SYNCPIPE" and error is None):
                ours.close()
        if error is not None and self._child is not None:
            self._child.kill()
            if self._timed_out or isinstance(error, CancelledError):
                self._kill_monitor()

    async def start(self, argv: Sequence[str], *, place: Place | None, pass_fds: Sequence[int] = ()) -> None:
        """Start conmon, put it where it belongs, and let it go on."""
        log = os.open(
            self._options.conmon_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        # What an earlier start left must not be taken for what this one says.
        self._options.oci_log.unlink(missing_ok=True)
        self._options.conmon_pid_file.unlink(missing_ok=True)
        theirs = {name: pair[1].fileno() for name, pair in self._pairs.items()}
        try:
            with room(self._options.directory) as kept:
                self._child = self._programs.start(
                    argv,
                    stderr=log,
                    env={name: str(fd) for name, fd in theirs.items()},
                    # At an OOM kill it also writes a file `oom` into its working directory (seen with 2.1.6).
                    cwd=self._options.directory,
                    pass_fds=[*theirs.values(), *pass_fds, *kept],
                )
        finally:
            os.close(log)
        for _, end in self._pairs.values():
            end.close()
        if place is not None:
            await place(self._child.pid)
        await self.go_on()

    async def go_on(self) -> None:
        """One byte to the start pipe."""
        try:
            await self._pairs["_OCI_STARTPIPE"][0].send(b"\0")
        except (BrokenPipeError, ConnectionResetError):
            raise self._said_nothing() from None

    async def detached(self) -> None:
        """Wait until the first process is gone: it forks the one that stays, writes its pid file, and exits."""
        assert self._child is not None
        code = await self._child.exited()
        if code != 0:
            raise self._said_nothing(f"conmon ended with exit status {code}")

    async def pid(self) -> int:
        """The pid that conmon reports."""
        return await self._number("_OCI_SYNCPIPE")

    async def attach_ready(self) -> None:
        """Wait until an exec session's attach socket is there."""
        await self._number("_OCI_ATTACHPIPE")

    def keep_sync(self) -> PacketSocket:
        """The sync pipe, which stays open: the caller closes it."""
        self._kept = True
        return self._pairs["_OCI_SYNCPIPE"][0]

    def limited(self, seconds: float) -> _Limit:
        """Within this context a conmon that takes longer is killed, and its silence reported."""

        def too_long() -> None:
            self._timed_out = True
            if self._child is not None:
                self._child.kill()
            for ours, _ in self._pairs.values():
                ours.close()

        return _Limit(self._reactor, seconds, too_long)

    def _kill_monitor(self) -> None:
        """Kill the conmon that stays, and with it the runtime that it waits for (its parent-death signal)."""
        try:
            pid = int(self._options.conmon_pid_file.read_text())
            os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            return  # it has not come so far, or has ended

    async def _number(self, pipe: str) -> int:
        packet = await self._pairs[pipe][0].receive()
        if self._timed_out:
            raise RuntimeFailed("conmon did not answer in time")
        if not packet:
            raise self._said_nothing()
        answer = json.loads(packet)
        number = answer.get("data")
        if not isinstance(number, int) or number < 0:
            raise read_failure(self._options.oci_log, otherwise=str(answer.get("message") or ""))
        return number

    def _said_nothing(self, otherwise: str = "conmon ended without a message") -> EngineError:
        return read_failure(self._options.oci_log, self._options.conmon_log, otherwise=otherwise)


class _Limit:
    def __init__(self, reactor: Reactor, seconds: float, action: Callable[[], None]) -> None:
        self._timer = reactor.callLater(seconds, action)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._timer.active():
            self._timer.cancel()
