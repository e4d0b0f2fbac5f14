"""The names of all that a run makes on this machine: recorded before it is made, enough to undo it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from apiserver.engine.containers.options.limits import SERVICE_CGROUP
from apiserver.engine.ports.runs import RunKey
from apiserver.errors import HostError
from apiserver.jsonvalue import JsonObject
from apiserver.local.paths import ContainerPaths, Paths, RunPaths


def cgroup_of(key: RunKey, parent: str = "") -> str:
    """
    Args:
        parent: as `Limits.cgroup_parent`.
    """
    parts = [part for part in (parent or SERVICE_CGROUP).split("/") if part not in ("", ".")]
    return "/" + "/".join([*parts, key.container_id])


class RunPlan(Struct, frozen=True):
    """One run's things.

    Attributes:
        runtime: absolute path of the OCI runtime; `runtime_root` is its state directory.
        cgroup: of the container, below each hierarchy; `monitor_cgroup` is conmon's.
    """

    key: RunKey
    runtime: Path
    runtime_root: Path
    cgroup: str
    monitor_cgroup: str
    run: RunPaths
    container: ContainerPaths

    @classmethod
    def of(cls, paths: Paths, key: RunKey, runtime: Path, cgroup_parent: str = "") -> RunPlan:
        return cls(
            key=key,
            runtime=runtime,
            runtime_root=paths.runtime_root(runtime),
            cgroup=cgroup_of(key, cgroup_parent),
            monitor_cgroup=f"/{SERVICE_CGROUP}/conmon-{key.container_id}",
            run=paths.run(key.container_id, key.number),
            container=paths.container(key.container_id),
        )

    def to_json(self) -> JsonObject:
        return {
            "container": self.key.container_id,
            "run": self.key.number,
            "runtime": str(self.runtime),
            "runtimeRoot": str(self.runtime_root),
            "cgroup": self.cgroup,
            "monitorCgroup": self.monitor_cgroup,
            "directory": str(self.run.directory),
            "rootfs": str(self.container.merged),
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> RunPlan:
        """Read a plan back from the state.

        Raises:
            HostError: it is not one of ours.
        """
        try:
            container_id = str(value["container"])
            number = value["run"]
            assert isinstance(number, int)
            return cls(
                key=RunKey(container_id, number),
                runtime=Path(str(value["runtime"])),
                runtime_root=Path(str(value["runtimeRoot"])),
                cgroup=str(value["cgroup"]),
                monitor_cgroup=str(value["monitorCgroup"]),
                run=RunPaths(Path(str(value["directory"])), container_id),
                container=ContainerPaths(Path(str(value["rootfs"])).parent),
            )
        except (KeyError, AssertionError) as error:
            raise HostError(f"the plan of a run cannot be read: {error}") from error
