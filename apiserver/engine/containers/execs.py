"""Exec sessions: further processes in a running container."""

from __future__ import annotations

from apiserver.engine.containers.model import ExecSession
from apiserver.engine.ports.streams import ProcessStreams


class Execs:
    def get(self, exec_id: str) -> ExecSession:
        """By its whole id, until 5 minutes after its end.

        Raises:
            NoSuchExec
        """
        raise NotImplementedError

    def of(self, container_id: str) -> tuple[ExecSession, ...]:
        """The sessions of a container that have not ended, for its inspect."""
        raise NotImplementedError

    async def create(
        self,
        name_or_id: str,
        argv: tuple[str, ...],
        *,
        env: tuple[str, ...] = (),
        user: str = "",
        working_dir: str = "",
        terminal: bool = False,
        attach_stdin: bool = False,
        attach_stdout: bool = False,
        attach_stderr: bool = False,
        privileged: bool = False,
        detach_keys: str = "",
        console_size: tuple[int, int] | None = None,
    ) -> ExecSession:
        """Record what is to be run; nothing is started.

        Raises:
            ContainerNotRunning, ContainerPaused
            InvalidParameter
        """
        raise NotImplementedError

    async def start(
        self,
        exec_id: str,
        *,
        detach: bool = False,
        terminal: bool | None = None,
        console_size: tuple[int, int] | None = None,
    ) -> ProcessStreams | None:
        """Run it; None where detached, else its streams, which end with it.

        A program that cannot be run is no error of an attached start: the streams say why, and the session has
        126 or 127. Close the streams in any case.

        Args:
            terminal: None: as created.

        Raises:
            NoSuchExec
            Conflict: it was started before, or the container does not run, or is paused.
            StartFailed: where detached.
        """
        raise NotImplementedError

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """Raises: NoSuchExec, Conflict (it does not run)."""
        raise NotImplementedError
