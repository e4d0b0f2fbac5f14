"""The processes of a run, looked at from outside: no program, and no library, of its image is ever used."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from apiserver.config.host import capabilities
from apiserver.drivers import ps
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.linux.openat2 import Inside
from apiserver.drivers.linux.procfs import KernelProcess, read_process, seconds_since_boot, terminal_name
from apiserver.drivers.process import Programs
from apiserver.engine.ports.processes import Person, ProcessFacts, ProcessTable
from apiserver.engine.ports.runs import NotRunning
from apiserver.errors import InvalidParameter
from apiserver.local.runs.account_files import read_accounts
from apiserver.local.runs.identity import first_pid
from apiserver.local.runs.plan import RunPlan
from apiserver.local.runs.spec import users

_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_CAPABILITIES = {
    "inherited": "CapInh",
    "permitted": "CapPrm",
    "effective": "CapEff",
    "bounding": "CapBnd",
    "ambient": "CapAmb",
}


async def table(programs: Programs, cgroups: Cgroups, plan: RunPlan, arguments: Sequence[str]) -> ProcessTable:
    """The host's `ps`, its rows of this run alone: of processes that were there before it and after, since a pid may
    go to a stranger in between.

    Raises:
        PsRefused, ProgramMissing, ProgramFailed, NotRunning
    """
    command = ps.parse(arguments)
    before = _pids(cgroups, plan)
    titles, rows = await ps.listing(programs, command)
    ours = before & cgroups.pids(plan.cgroup)
    kept, last = [], False
    for row in rows:
        last = row.pid in ours if row.pid is not None else last
        if last:
            kept.append(row.cells)
    return ProcessTable(titles, tuple(kept))


def facts(cgroups: Cgroups, plan: RunPlan) -> tuple[ProcessFacts, ...]:
    """All that the kernel tells; takes time with the number of processes: for a thread.

    Raises:
        NotRunning
    """
    first = first_pid(plan, cgroups)
    if first is None:
        raise NotRunning(plan.key.container_id)
    found = [process for pid in sorted(_pids(cgroups, plan)) if (process := read_process(pid)) is not None]
    here = {process.pid for process in found} & cgroups.pids(plan.cgroup)
    return _Teller(first, [process for process in found if process.pid in here]).tell()


def namespaces(cgroups: Cgroups, plan: RunPlan) -> Mapping[str, int]:
    """Those of the first process by number; empty where it is gone."""
    first = first_pid(plan, cgroups)
    try:
        return {} if first is None else {kind: os.stat(f"/proc/{first}/ns/{kind}").st_ino for kind in _NAMESPACES}
    except (FileNotFoundError, ProcessLookupError):
        return {}


def _pids(cgroups: Cgroups, plan: RunPlan) -> set[int]:
    pids = cgroups.pids(plan.cgroup)
    if not pids:
        raise NotRunning(plan.key.container_id)
    return pids


class _Teller:
    """Translates ids into the container's own."""

    def __init__(self, first: int, processes: Sequence[KernelProcess]) -> None:
        self._processes = processes
        depths = [len(process.numbers("NSpid")) for process in processes if process.pid == first]
        self._depth = depths[0] if depths else 1
        self._inside = {process.pid: self._pid(process, "NSpid", process.pid) for process in processes}
        self._users, self._groups = _accounts(Path(f"/proc/{first}/root"))
        self._host_users, self._host_groups = _accounts(Path("/"))

    def tell(self) -> tuple[ProcessFacts, ...]:
        now, since_boot = time.time(), seconds_since_boot()
        told = [self._facts(process, now, since_boot) for process in self._processes]
        return tuple(sorted(told, key=lambda each: each.pid))

    def _facts(self, process: KernelProcess, now: float, since_boot: float) -> ProcessFacts:
        real, effective, *_ = process.numbers("Uid")
        real_group, effective_group, *_ = process.numbers("Gid")
        elapsed = max(0.0, since_boot - process.started_seconds)
        return ProcessFacts(
            pid=self._inside[process.pid],
            parent=self._inside.get(process.parent, 0),
            process_group=self._pid(process, "NSpgid", process.process_group),
            host_pid=process.pid,
            state=process.state,
            nice=process.nice,
            command=process.command,
            arguments=process.arguments,
            started=datetime.fromtimestamp(now - elapsed, UTC),
            elapsed_seconds=elapsed,
            cpu_seconds=process.cpu_seconds,
            terminal=terminal_name(process.terminal),
            virtual_kib=process.virtual_bytes // 1024,
            resident_kib=(process.numbers("VmRSS") or (0,))[0],
            user=self._user(effective),
            real_user=self._user(real),
            group=self._group(effective_group),
            real_group=self._group(real_group),
            groups=tuple(map(self._group, process.numbers("Groups"))),
            capabilities={kind: _capabilities(process, line) for kind, line in _CAPABILITIES.items()},
            seccomp=(process.numbers("Seccomp") or (None,))[0],
            label=process.label,
        )

    def _pid(self, process: KernelProcess, line: str, on_host: int) -> int:
        """From the list of an id in each namespace, from this host's down."""
        numbers = process.numbers(line)
        return numbers[min(self._depth, len(numbers)) - 1] if numbers else on_host

    def _user(self, number: int) -> Person:
        return Person(number, self._users.get(number, str(number)), self._host_users.get(number, str(number)))

    def _group(self, number: int) -> Person:
        return Person(number, self._groups.get(number, str(number)), self._host_groups.get(number, str(number)))


def _capabilities(process: KernelProcess, line: str) -> tuple[str, ...] | None:
    found = capabilities.from_mask(int(process.status.get(line, "0"), 16))
    return None if found == capabilities.ALL else tuple(name.removeprefix("CAP_") for name in found)


def _accounts(root: Path) -> tuple[Mapping[int, str], Mapping[int, str]]:
    """Names of users and of groups; none where the files cannot be read, or are not files."""
    passwd = group = b""
    with suppress(OSError), Inside(root) as inside:
        with suppress(InvalidParameter):
            passwd = read_accounts(inside, "/etc/passwd", "/etc/passwd")
        with suppress(InvalidParameter):
            group = read_accounts(inside, "/etc/group", "/etc/group")
    return users.user_names(passwd), users.group_names(group)
