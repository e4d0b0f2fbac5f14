"""A run's first process, known by pid and start time: another process with the same pid is never taken for it."""

from __future__ import annotations

import signal
from pathlib import Path

from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.linux.pidfd import Process, start_time
from apiserver.drivers.linux.readiness import Reactor
from apiserver.local.paths import MonitoredPaths, write_whole
from apiserver.local.runs.plan import RunPlan


def remember(paths: MonitoredPaths, pid: int) -> None:
    """Write down who it is, while it certainly lives: conmon has just said its pid."""
    write_whole(paths.identity, f"{pid} {start_time(pid) or 0}".encode())


def first_pid(plan: RunPlan, cgroups: Cgroups) -> int | None:
    """The pid of a run's first process; None where it is gone or never was.

    Where we died before `remember`, or the run root was lost, its cgroup tells: only the run's own processes are in it.
    """
    try:
        pid, started = map(int, plan.run.identity.read_text().split())
    except (FileNotFoundError, ValueError):
        return _from_cgroup(plan, cgroups)
    return pid if start_time(pid) == started else None


def _from_cgroup(plan: RunPlan, cgroups: Cgroups) -> int | None:
    pids = cgroups.pids(plan.cgroup)
    written = read_pid(plan.run.pid_file)
    if written in pids:
        return written
    starts = [(started, pid) for pid in pids if (started := start_time(pid)) is not None]
    return min(starts)[1] if starts else None


def hold(reactor: Reactor, paths: MonitoredPaths) -> Process | None:
    """Hold the remembered process; None where it is gone. Whoever asks closes it."""
    try:
        pid, started = map(int, paths.identity.read_text().split())
        process = Process(reactor, pid)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    if start_time(pid) != started:
        process.close()
        return None
    return process


def read_pid(file: Path) -> int | None:
    """The pid in a file that conmon or the runtime wrote."""
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError):
        return None


def hold_monitor(reactor: Reactor, paths: MonitoredPaths) -> Process | None:
    """Hold the conmon of a directory; None where it is gone. Whoever asks closes it."""
    pid = monitor_pid(paths)
    try:
        process = Process(reactor, pid) if pid is not None else None
    except ProcessLookupError:
        return None
    if process is not None and monitor_pid(paths) != process.pid:
        process.close()  # it went in between, and its pid to another
        return None
    return process


def end_monitor(reactor: Reactor, paths: MonitoredPaths) -> None:
    """Kill the conmon of a directory: its exit command would only tell us what we know."""
    monitor = hold_monitor(reactor, paths)
    if monitor is None:
        return
    try:
        monitor.signal(signal.SIGKILL)
    except ProcessLookupError:
        return  # it has just ended
    finally:
        monitor.close()


def monitor_pid(paths: MonitoredPaths) -> int | None:
    """conmon's pid, while that process is the conmon of this directory."""
    pid = read_pid(paths.conmon_pid_file)
    if pid is None:
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pid if str(paths.conmon_pid_file).encode() in command else None
