"""The OCI runtime, crun or runc: what is asked of a container that conmon created."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from apiserver.drivers.oci_log import failure, last_message
from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.errors import ContainerNotRunning, EngineError, NoSuchContainer
from apiserver.jsonvalue import JsonValue

# Compiled when they are first needed, as those in `oci_log`.
_NO_SUCH = (
    r"(?is)container .{0,200}does not exist|opening file .{0,4096}/status.: No such file"
    r"|cannot open directory .{0,4096}: No such file"
)
_NOT_RUNNING = (
    r"(?i)not running|process already finished|not in .?(?:created|running).? state|cannot start a container that has"
    r"|container (?:is )?stopped|in an? (?:in)?appropriate state|No such process|not paused|already paused"
    r"|in the state .(?:stopped|created)."
)


class RuntimeState(Struct, frozen=True):
    """What the runtime knows: status is `created`, `running`, `paused` or `stopped`; pid 0 when there is no process."""

    id: str
    status: str
    pid: int
    bundle: Path


class OciRuntime:
    """One runtime binary with one state directory; a container is ended by those that created it.

    Every call may raise NoSuchContainer, RuntimeFailed, and ProgramMissing.
    """

    def __init__(self, programs: Programs, path: Path, root: Path) -> None:
        self._programs = programs
        self.path = path
        self.root = root

    async def start(self, id: str) -> None:
        """Let a created container's process run.

        Raises:
            CommandNotFound, CommandNotExecutable: some runtimes look only now.
            ContainerNotRunning: it is not in the state created.
        """
        await self._call(id, "start", id)

    async def kill(self, id: str, number: int = signal.SIGTERM, *, all_processes: bool = False) -> None:
        """Signal the first process, or all; it may still be there when this returns.

        Raises:
            ContainerNotRunning
        """
        await self._call(id, "kill", *(["--all"] if all_processes else []), id, str(int(number)))

    async def delete(self, id: str, *, force: bool = False) -> None:
        """Forget a stopped container and remove its cgroups; with `force` kill it first, and accept that there is none.

        Raises:
            RuntimeFailed: it still runs.
        """
        try:
            await self._call(id, "delete", *(["--force"] if force else []), id)
        except NoSuchContainer:
            if not force:
                raise

    async def state(self, id: str) -> RuntimeState:
        """What the runtime knows of it; costs a process, where our own record (pid, start time) answers at once."""
        value = json.loads(await self._call(id, "state", id))
        return RuntimeState(value["id"], value["status"], int(value.get("pid") or 0), Path(value["bundle"]))

    async def pause(self, id: str) -> None:
        """Freeze all its processes.

        Raises:
            ContainerNotRunning
        """
        await self._call(id, "pause", id)

    async def resume(self, id: str) -> None:
        """Thaw them.

        Raises:
            ContainerNotRunning: also for one that is not paused, but crun 1.8.1 accepts that.
        """
        await self._call(id, "resume", id)

    async def update(self, id: str, resources: Mapping[str, JsonValue]) -> None:
        """Change limits of a running container.

        Args:
            resources: the part of OCI's `linux.resources` that changes.
        """
        await self._call(id, "update", "--resources", "-", id, stdin=json.dumps(resources).encode())

    async def _call(self, id: str, command: str, *arguments: str, stdin: bytes | None = None) -> bytes:
        argv = [str(self.path), "--root", str(self.root), "--log-format=json"]
        try:
            done = await self._programs.run([*argv, command, *arguments], stdin=stdin, time_limit=60.0)
        except ProgramFailed as error:
            raise self._failure(id, error) from error
        return done.stdout

    def _failure(self, id: str, error: ProgramFailed) -> EngineError:
        message = last_message(error.stderr) or error.subject
        if re.search(_NO_SUCH, message):
            return NoSuchContainer(id)
        if re.search(_NOT_RUNNING, message):
            return ContainerNotRunning(id)
        return failure(message)


async def features(programs: Programs, path: Path) -> dict[str, Any] | None:
    """The runtime's `features` as JSON; None from one that does not know the command (crun 1.8.1)."""
    done = await programs.run([str(path), "features"], ok_codes=None, time_limit=10.0)
    if done.code != 0:
        return None
    value = json.loads(done.stdout)
    return value if isinstance(value, dict) else None
