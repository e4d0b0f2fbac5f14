"""Exec sessions: one more process in a running container, with a conmon of its own."""

from __future__ import annotations

import json

from apiserver.drivers.conmon.argv import ExecOptions, exec_argv
from apiserver.drivers.conmon.attach import Attachment, attach
from apiserver.drivers.conmon.control import resize
from apiserver.drivers.conmon.start import Handshake, Place
from apiserver.drivers.linux.seqpacket import PacketSocket
from apiserver.drivers.process import Programs


class Session:
    """A running exec session.

    Attributes:
        pid: its process, in our pid namespace.
        stdio: connected before the process started, so nothing is lost; None for a detached session.
    """

    def __init__(self, pid: int, stdio: Attachment | None, sync: PacketSocket) -> None:
        self.pid = pid
        self.stdio = stdio
        self._sync = sync

    async def exit_code(self) -> int | None:
        """Wait for the end; None when conmon was killed. Call it once.

        conmon writes it to `ExecOptions.exit_dir` and `persist_dir` too: there it outlives us.
        """
        try:
            packet = await self._sync.receive()
        finally:
            self._sync.close()
        if not packet:
            return None
        code = json.loads(packet).get("data")
        return code if isinstance(code, int) else None

    def forget(self) -> None:
        """Do not wait for its code any more; whoever has `stdio` goes on with it."""
        self._sync.close()

    def close(self) -> None:
        """Let go of the session; the process runs on."""
        self._sync.close()
        if self.stdio is not None:
            self.stdio.close()


class ExecSessions:
    """Starts processes in running containers."""

    def __init__(self, programs: Programs, path: str = "conmon") -> None:
        self._programs = programs
        self._path = path

    async def start(
        self,
        options: ExecOptions,
        *,
        place: Place | None = None,
        size: tuple[int, int] | None = None,
        time_limit: float = 45.0,
    ) -> Session:
        """Start a session.

        Args:
            size: height and width of its terminal, set as soon as it runs: crun 1.8.1 ignores `consoleSize`.
            time_limit: seconds. The processes of a container can hold the runtime up (by making its passwd a fifo);
                whoever wants to remove the container meanwhile waits for longer than this.

        Raises:
            CommandNotFound, CommandNotExecutable, RuntimeFailed, ProgramMissing.
        """
        with Handshake(self._programs, options, attach_pipe=options.attach) as handshake:
            stdio: Attachment | None = None
            try:
                await handshake.start(exec_argv(self._path, options), place=place)
                with handshake.limited(time_limit):
                    if options.attach:
                        await handshake.attach_ready()
                        stdio = attach(self._programs.reactor, options.attach_socket)
                        await handshake.go_on()
                    pid = await handshake.pid()
                    await handshake.detached()
            except BaseException:
                if stdio is not None:
                    stdio.close()
                raise
            if size is not None:
                resize(options.control_fifo, *size)
            return Session(pid, stdio, handshake.keep_sync())
