"""Runs of containers on a back end: make, start, signal, end, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol

from msgspec import Struct, field

from apiserver.engine.containers.model import NOT_RUN
from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.networks import Endpoint, NetworkPlan
from apiserver.engine.ports.processes import ProcessFacts, ProcessTable
from apiserver.engine.ports.publish import HeldPorts
from apiserver.errors import (
    CommandNotExecutable,
    CommandNotFound,
    EngineError,
    InvalidParameter,
    RuntimeRefused,
)
from apiserver.jsonvalue import JsonObject


class RunKey(Struct, frozen=True, order=True):
    container_id: str
    number: int


class RunSpec(Struct, frozen=True):
    """All that a back end needs to make one run; `options` is complete and validated."""

    key: RunKey
    name: str
    image_id: str
    options: ContainerOptions
    runtime: str
    network: NetworkPlan | None = None
    endpoints: tuple[Endpoint, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Volume name -> its mountpoint."""
    new_volumes: frozenset[str] = frozenset()
    """Names of those to fill, while they are empty, with what the image has where they are mounted."""


class Started(Struct, frozen=True):
    at: datetime
    pid: int | None = None


class RunEnd(Struct, frozen=True):
    exit_code: int | None
    """None: nobody recorded it."""
    finished: datetime
    oom_killed: bool = False


class Found(Enum):
    """What reconcile finds of a recorded run."""

    NOTHING = "nothing"
    LEFTOVERS = "leftovers"  # something that its plan names, no first process
    CREATED = "created"  # its first process waits for `start`
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"  # its end is recorded, or its process is gone


class StartFailed(RuntimeRefused):
    """The runtime could not make or start the first process.

    Attributes:
        exit_code: what the CLIs end with: 127 no such program, 126 it cannot be executed, 125 or 128 else.
    """

    docker = "failed to create task for container: {subject}"

    def __init__(self, subject: str, exit_code: int, to_docker: str | None = None) -> None:
        super().__init__(subject, to_docker)
        self.exit_code = exit_code
        self.cause = _CAUSES.get(code_to_podman(exit_code, subject), self.cause)


def code_to_podman(exit_code: int, said: str) -> int:
    """What Podman makes of a code: 127 is by these words alone (libpod/oci_util.go, getOCIRuntimeError).

    To Docker it is also that of a working directory that is a file.
    """
    found = any(words in said.lower() for words in ("not found", "no such file or directory", "open executable"))
    return NOT_RUN if exit_code == 127 and not found else exit_code


_CAUSES = {127: CommandNotFound.cause, 126: CommandNotExecutable.cause}


class CommandUnusable(StartFailed, InvalidParameter):
    """The program of a container, or of an exec session, is not there (127) or cannot be executed (126)."""

    libpod = StartFailed.libpod


class Runs(Protocol):
    def choose_runtime(self, asked: str) -> str:
        """The runtime that will create a container's runs, by name or path; empty: what works on this host.

        Raises:
            InvalidParameter: it is not configured, or does not work here.
        """

    async def seccomp_profile(self, path: str) -> str:
        """The text of a profile that lies on the back end's machine.

        Raises:
            InvalidParameter: it cannot be read, or is too long to be one.
        """

    async def warnings(self, options: ContainerOptions) -> tuple[str, ...]:
        """What of the options this host will clamp or leave out, in words for the client."""

    def plan(self, key: RunKey, options: ContainerOptions, runtime: str) -> JsonObject:
        """The names of all that a run will make outside; committed by the engine before `create`."""

    async def create(self, spec: RunSpec, plan: JsonObject, held: HeldPorts | None) -> int | None:
        """Make everything and let the runtime create the first process, not yet running. Begins to watch for its end.

        The network namespace of a bridged run is there already (`Networks.attach`).

        Returns:
            The pid of the first process, where it has one on this machine.

        Raises:
            StartFailed, InvalidParameter (names the field), NoSuchImage ("image removed underneath"), HostError.
            What was made stays, for `discard`.
        """

    async def start(self, plan: JsonObject) -> Started:
        """Let the first process run.

        Raises:
            StartFailed
        """

    async def signal(self, plan: JsonObject, signal: int) -> None:
        """Send a signal to the first process.

        Raises:
            NotRunning
        """

    async def stop(self, plan: JsonObject, signal: int, timeout: float | None) -> None:
        """Send `signal`, and SIGKILL after `timeout` seconds (0: at once, None: never).

        Fires when the process is gone.
        """

    async def end(self, plan: JsonObject) -> RunEnd:
        """How an ended run ended: waits 5 s at most for its exit to be recorded, then the code is unknown."""

    async def discard(self, plan: JsonObject, *, processes: bool = True) -> None:
        """Undo all that the plan names, in any state, also half-made or gone.

        That is processes, the runtime's record, mounts, cgroup, files.
        Networks are given back by `Networks.detach`, before this. Idempotent.

        Args:
            processes: False after a reboot: what it names by pid is something else now, and is left alone.

        Raises:
            HostError: something is still there; call again later.
        """

    async def forget(self, container_id: str) -> None:
        """Delete what outlives runs: the writable layer, the log, its files. Idempotent."""

    async def written_bytes(self, container_id: str) -> int:
        """What the container's own layer holds: all files, each once, by their apparent sizes; 0 where it has none.

        May take long; cancelling it ends the counting.

        Raises:
            HostError: it cannot be read.
        """

    async def ps(self, plan: JsonObject, arguments: Sequence[str]) -> ProcessTable:
        """What the host's `ps` shows of a run's processes, those of its exec sessions among them, and of no others.

        Raises:
            PsRefused: an argument that it is not given.
            NotRunning
            HostError: it is missing, or failed.
        """

    async def processes(self, plan: JsonObject) -> tuple[ProcessFacts, ...]:
        """The same processes, by their pids in the container, with all that the kernel tells.

        Raises:
            NotRunning
        """

    async def namespaces(self, plan: JsonObject) -> Mapping[str, int]:
        """The namespaces of a run's first process, `cgroup`, `ipc`, `mnt`, `net`, `pid`, `user`, `uts`, by their
        numbers; empty where it is gone."""

    def facts(self, key: RunKey, options: ContainerOptions) -> RunFacts:
        """What an inspection shows of a container.

        Args:
            key: the newest run's, or the first one's before there is any.
        """

    def news(self, listener: Callable[[RunKey], None]) -> None:
        """Whom to tell, once per run, that a watched run's first process is gone.

        Set once, before any run is watched.
        """

    async def survey(self, plans: Mapping[RunKey, JsonObject]) -> Mapping[RunKey, Found]:
        """What is there of each recorded run; also begins to watch those that run, or are created."""

    async def strangers(self, known: frozenset[str]) -> frozenset[str]:
        """Ids of containers that have files or processes in our directories and are not known."""


class NotRunning(EngineError):
    cause = "container is not running"
