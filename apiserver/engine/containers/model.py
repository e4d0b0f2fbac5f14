"""What a container is: its states, their legal transitions, and its runs.

A `Container` is an immutable snapshot. A change makes a new one, which is committed first and then put into the
registry, so that nothing is shown, or answered, before it is on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from msgspec import Struct, field
from msgspec.structs import replace

from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.mounts import MountKind
from apiserver.engine.ports.networks import Endpoint, NetworkPlan
from apiserver.errors import Conflict
from apiserver.jsonvalue import JsonObject


class State(Enum):
    CONFIGURED = "configured"
    INITIALIZED = "initialized"  # exists in the runtime, its first process not started
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"  # the process is gone, its network and mounts are still up
    EXITED = "exited"  # cleaned up
    REMOVING = "removing"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.CONFIGURED: frozenset({State.INITIALIZED, State.RUNNING, State.EXITED, State.REMOVING}),
    State.INITIALIZED: frozenset({State.RUNNING, State.STOPPED, State.EXITED, State.CONFIGURED, State.REMOVING}),
    State.RUNNING: frozenset({State.PAUSED, State.STOPPING, State.STOPPED, State.EXITED}),
    State.PAUSED: frozenset({State.RUNNING, State.STOPPING, State.STOPPED, State.EXITED}),
    State.STOPPING: frozenset({State.RUNNING, State.STOPPED, State.EXITED}),
    State.STOPPED: frozenset({State.EXITED, State.REMOVING}),
    State.EXITED: frozenset({State.INITIALIZED, State.RUNNING, State.REMOVING}),
    State.REMOVING: frozenset(),
}

ALIVE = frozenset({State.RUNNING, State.PAUSED, State.STOPPING})
"""The states in which its first process is there."""


class IllegalTransition(Conflict):
    """A bug of ours, or a request in a state that forbids it."""

    cause = "container state improper"


class Run(Struct, frozen=True):
    """One start of a container.

    A run is recorded before anything is made for it: `plan` is what the back end will make, in its own words.
    Both plans are emptied once they are undone: what they name may be there for as long as they stand here.
    """

    number: int
    plan: JsonObject = field(default_factory=dict)
    network: NetworkPlan | None = None
    """Recorded with the plan; None where the run has no network of its own. Its ports are true host ports."""
    endpoints: tuple[Endpoint, ...] = ()
    """The interfaces as they were made."""
    started: datetime | None = None
    finished: datetime | None = None
    exit_code: int | None = None
    """0 to 255, 128 + n for signal n; None: not ended, or ended with an unknown code."""
    ended: bool = False
    oom_killed: bool = False
    error: str = ""
    """Why it could not be started."""
    pid: int | None = None
    """An optional fact: its first process on this machine."""


class Container(Struct, frozen=True):
    id: str
    """64 hexadecimal digits."""
    name: str
    created: datetime
    image_id: str
    """64 hexadecimal digits, without `sha256:`."""
    image_name: str
    """As the client gave it."""
    options: ContainerOptions
    state: State = State.CONFIGURED
    run: Run | None = None
    """The newest one, also after its end."""
    runtime: str = ""
    """What creates its runs and so ends them too; chosen at create."""
    stopped_by_user: bool = False
    restart_count: int = 0
    warnings: tuple[str, ...] = ()
    remove_volumes: bool = False
    """The removal that has begun takes its anonymous volumes along."""

    def become(self, state: State, **changes: object) -> Container:
        """The container in another state.

        Raises:
            IllegalTransition: the table has no such step.
        """
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"container {self.id} is {self.state.value} and cannot become {state.value}")
        return replace(self, state=state, **changes)

    @property
    def alive(self) -> bool:
        return self.state in ALIVE

    @property
    def network_namespace(self) -> str:
        """An optional fact: the path of the newest run's own, while it is there."""
        return self.run.network.namespace if self.run is not None and self.run.network is not None else ""

    @property
    def anonymous_volumes(self) -> tuple[str, ...]:
        return tuple(mount.source for mount in self.options.mounts.mounts if mount.anonymous and mount.source)

    @property
    def volumes_to_fill(self) -> frozenset[str]:
        """Those of its volumes that take over what the image has where they are mounted, if they are new."""
        mounts = self.options.mounts.mounts
        return frozenset(m.source for m in mounts if m.kind is MountKind.VOLUME and m.source and not m.no_copy)

    @property
    def volumes(self) -> tuple[str, ...]:
        return tuple(m.source for m in self.options.mounts.mounts if m.kind is MountKind.VOLUME and m.source)


NOT_RUN = 125
"""The exit code of an exec session that the runtime was not even asked to run, as Podman has it."""


class ExecSession(Struct, frozen=True):
    """A further process in a run of a container."""

    id: str
    container_id: str
    run: int
    created: datetime
    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    terminal: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = True
    attach_stderr: bool = True
    privileged: bool = False
    detach_keys: str = ""
    console_size: tuple[int, int] | None = None
    plan: JsonObject = field(default_factory=dict)
    started: datetime | None = None
    finished: datetime | None = None
    running: bool = False
    exit_code: int | None = None
    pid: int | None = None
    error: str = ""
