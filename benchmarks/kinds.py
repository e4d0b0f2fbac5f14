"""The kinds of servers that are compared, and how each is started."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
OURS = Path(sys.executable).with_name("apiserver")
CHECKOUT_IN_A_ROOT = Path("/root/apiserver")  # where script/in-debian puts it


def apiserver(folder: Path, socket: Path, root: Path) -> list[str]:
    program = OURS if root == Path("/") else CHECKOUT_IN_A_ROOT / ".venv/bin/apiserver"
    places = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
    return [str(program), "serve", *places, "--idle-timeout", "0", "--listen", f"unix:{socket}"]


def podman(folder: Path, socket: Path, _root: Path) -> list[str]:
    conf = folder / "containers.conf"
    conf.write_text(podman_conf())
    store = ["--storage-driver", "overlay", "--root", str(folder / "root"), "--runroot", str(folder / "run")]
    rest = ["--tmpdir", str(folder / "tmp"), "--network-config-dir", str(folder / "net"), "--runtime", "crun"]
    service = ["--cgroup-manager", "cgroupfs", "system", "service", "--time", "0", f"unix://{socket}"]
    return ["env", f"CONTAINERS_CONF={conf}", "podman", *store, *rest, *service]


def podman_conf() -> str:
    """The defaults ask for a journal, and for limits that some machines do not allow.

    It lowers its own limit of processes to the kernel's greatest pid, so no container may have more.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    pids = int(Path("/proc/sys/kernel/pid_max").read_text())
    most = pids if processes == resource.RLIM_INFINITY else min(processes, pids)
    limits = json.dumps([f"nofile={files}:{files}", f"nproc={most}:{most}"])
    engine = '[engine]\nevents_logger = "file"\n'
    return f'[containers]\nlog_driver = "k8s-file"\ndefault_ulimits = {limits}\n{engine}'


def dockerd(folder: Path, socket: Path, _root: Path) -> list[str]:
    places = ["--data-root", str(folder / "data"), "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid"]
    return ["dockerd", *places, "--host", f"unix://{socket}"]


def bare_twisted(_folder: Path, socket: Path, _root: Path) -> list[str]:
    return [sys.executable, str(HERE / "bare_twisted.py"), str(socket)]


def least(_folder: Path, socket: Path, _root: Path) -> list[str]:
    return [sys.executable, str(HERE / "least_answer.py"), str(socket)]


@dataclass(frozen=True)
class Kind:
    """
    Attributes:
        command: from its folder, its socket's path and its root to the command line.
        engine: whether it runs containers; else it is there to compare a start, or the load client, with.
        endless_log: the `max-size` of a log without an end; podman 4.3 and dockerd know no -1.
        versions: what to ask which programs below it are.
        cgroup: in which those of its containers are made.
    """

    name: str
    command: Callable[[Path, Path, Path], list[str]]
    engine: bool = True
    endless_log: str = "-1"
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cgroup: str = ""


_BELOW = {
    "crun": ("crun", "--version"),
    "conmon": ("conmon", "--version"),
    "netavark": ("sh", "-c", "PATH=$PATH:/usr/lib/podman:/usr/libexec/podman netavark --version"),
}

KINDS = {
    kind.name: kind
    for kind in (
        Kind("apiserver", apiserver, versions=_BELOW | {"skopeo": ("skopeo", "--version")}, cgroup="apiserver"),
        Kind(
            "podman",
            podman,
            endless_log="100g",
            versions=_BELOW | {"podman": ("podman", "--version")},
            cgroup="libpod_parent",
        ),
        Kind(
            "dockerd",
            dockerd,
            endless_log="100g",
            versions={
                "dockerd": ("dockerd", "--version"),
                "containerd": ("containerd", "--version"),
                "runc": ("runc", "--version"),
            },
            cgroup="docker",
        ),
        Kind("bare twisted.web", bare_twisted, engine=False),
        Kind("least answer", least, engine=False),
    )
}
