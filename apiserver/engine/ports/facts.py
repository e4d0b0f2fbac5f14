"""What a back end can say of a container and its newest run beyond what it was told: for inspections alone."""

from __future__ import annotations

from msgspec import Struct


class RunFacts(Struct, frozen=True):
    """Optional facts, each empty where the back end has no such thing, or not now.

    Paths are those of the machine on which the container runs.

    Attributes:
        directory: holds what outlives the container's runs.
        hostname_file, hosts_file, resolv_conf: what the container sees as its own.
        log: the recorded output.
        pid_file: will have the pid of the first process while it runs; `monitor_pid_file` that of its monitor.
        configuration: of the run, for its runtime; `oci_version` is the specification's that it follows.
        arguments: of the first process, with the init before the container's own program where it has one.
        cgroup: of the run, below each hierarchy.
        upper: the container's own layer, `work` what the kernel needs beside it, `merged` where both are mounted.
        apparmor: the profile that confines its processes, `unconfined` among them.
        bounding: capabilities that its processes can have at most; `effective` those that the first one begins with.
    """

    directory: str = ""
    hostname_file: str = ""
    hosts_file: str = ""
    resolv_conf: str = ""
    log: str = ""
    pid_file: str = ""
    monitor_pid_file: str = ""
    monitor_pid: int | None = None
    configuration: str = ""
    oci_version: str = ""
    arguments: tuple[str, ...] = ()
    cgroup: str = ""
    upper: str = ""
    work: str = ""
    merged: str = ""
    apparmor: str = ""
    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
