"""Making a run: bundle, conmon and the runtime's create; then its start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from twisted.internet.defer import Deferred

from apiserver.drivers.conmon.argv import CreateOptions
from apiserver.drivers.conmon.start import Conmon, Created
from apiserver.drivers.linux import descriptors
from apiserver.drivers.oci_runtime import OciRuntime
from apiserver.drivers.process import Programs
from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.ports.publish import HeldPorts
from apiserver.engine.ports.runs import CommandUnusable, RunKey, RunSpec, Started, StartFailed
from apiserver.errors import ContainerNotRunning, NoSuchContainer, RuntimeFailed
from apiserver.local.paths import Paths
from apiserver.local.runs.bundle import Bundles
from apiserver.local.runs.identity import remember
from apiserver.local.runs.news import News
from apiserver.local.runs.placing import Placing
from apiserver.local.runs.plan import RunPlan
from apiserver.local.unwritable import writing_below

_TO_DOCKER = "failed to create task for container: failed to create shim task: OCI runtime create failed"
_MIXED_UP = (
    ": Are you trying to mount a directory onto a file (or vice-versa)? "
    "Check if the specified host path exists and is the expected type"
)
"""What dockerd adds where a mount fails because something is no directory."""


class Launch:
    def __init__(
        self,
        paths: Paths,
        programs: Programs,
        conmon: Conmon,
        bundles: Bundles,
        news: News,
        placing: Placing,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._paths = paths
        self._programs = programs
        self._conmon = conmon
        self._bundles = bundles
        self._news = news
        self._placing = placing
        self._placed: dict[RunKey, Deferred[None]] = {}
        self._now = now

    async def create(self, spec: RunSpec, plan: RunPlan, held: HeldPorts | None) -> int:
        descriptors.spare()
        with writing_below(plan.run.directory):
            was_created = await self._bundles.make(spec, plan)
            plan.runtime_root.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                created = await self._conmon.create(
                    create_options(self._paths, spec, plan),
                    pass_fds=held.descriptors if held is not None else (),
                )
            except RuntimeFailed as error:
                raise start_failed(plan.runtime, error) from error
            was_created()
            self._created(plan, created)
        return created.pid

    async def start(self, plan: RunPlan) -> Started:
        runtime = OciRuntime(self._programs, plan.runtime, plan.runtime_root)
        process = self._news.process(plan.key)
        placed = self._placed.pop(plan.key, None)
        try:
            await runtime.start(plan.key.container_id)
        except (RuntimeFailed, ContainerNotRunning, NoSuchContainer) as error:
            raise start_failed(plan.runtime, error) from error
        started = self._now()
        with writing_below(plan.run.directory):
            plan.run.started.touch(0o600)
        if placed is not None:
            await placed
        return Started(at=started, pid=process.pid if process is not None else None)

    def forget(self, key: RunKey) -> None:
        """It is undone, whether or not it was started."""
        self._placed.pop(key, None)

    def _created(self, plan: RunPlan, created: Created) -> None:
        remember(plan.run, created.pid)
        self._news.watch(plan.key, created.pid)
        self._placed[plan.key] = self._placing.begin(plan, plan.run)


def create_options(paths: Paths, spec: RunSpec, plan: RunPlan) -> CreateOptions:
    """What conmon is told; its exit command is an interface between versions (DESIGN, "While the daemon is away")."""
    options = spec.options
    key = spec.key
    exit_command = (paths.exit_program, paths.root, paths.runroot, key.container_id, str(key.number))
    return CreateOptions(
        id=key.container_id,
        name=spec.name,
        runtime=plan.runtime,
        runtime_root=plan.runtime_root,
        directory=plan.run.directory,
        exit_dir=plan.run.exit_dir,
        persist_dir=plan.run.persist_dir,
        terminal=options.process.terminal,
        stdin=options.process.stdin_open,
        leave_stdin_open=_stdin_outlives_clients(options),
        exit_command=tuple(map(str, exit_command)),
        log=_log(options, plan.container.log),
        log_size_max=options.logging.max_size_bytes,
        timeout=options.lifecycle.timeout,
    )


def start_failed(runtime: Path, error: RuntimeFailed | ContainerNotRunning | NoSuchContainer) -> StartFailed:
    """A failure to start in the runtime's words, and in Docker's, which end in them."""
    code = error.exit_code if isinstance(error, RuntimeFailed) else 128
    said = error.said if isinstance(error, RuntimeFailed) else error.subject
    kind = CommandUnusable if code in (126, 127) else StartFailed
    mixed_up = "mount" in said and "not a directory" in said.lower()
    return kind(f"{runtime.name}: {said}", code, f"{_TO_DOCKER}: {error.subject}{_MIXED_UP if mixed_up else ''}")


def _stdin_outlives_clients(options: ContainerOptions) -> bool:
    return options.process.stdin_open and not options.process.stdin_once


def _log(options: ContainerOptions, log: Path) -> str:
    return f"k8s-file:{log}" if options.logging.driver is LogDriver.K8S_FILE else "none"
