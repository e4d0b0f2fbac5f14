"""The columns of `podman top` and what stands in them (containers/psgo)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from apiserver.engine.ports.processes import Person, ProcessFacts
from apiserver.jsonvalue import JsonObject

DEFAULT: Final = ("user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args")


class Descriptor(Struct, frozen=True):
    heading: str
    cell: Callable[[ProcessFacts], str]


def descriptors(arguments: Sequence[str]) -> tuple[Descriptor, ...] | None:
    """What `ps_args` mean, one descriptor each or several with commas between; None where one is none of Podman's."""
    names = [name.strip() for argument in arguments for name in argument.split(",") if name.strip()]
    found = [_DESCRIPTORS.get(_CODES.get(name, name)) for name in names or DEFAULT]
    known = tuple(each for each in found if each is not None)
    return known if len(known) == len(found) else None


def facts_json(processes: Sequence[ProcessFacts], columns: Sequence[Descriptor]) -> JsonObject:
    return {
        "Titles": [column.heading for column in columns],
        "Processes": [[column.cell(process) for column in columns] for process in processes],
    }


def go_duration(seconds: float) -> str:
    """A span that is not negative, as Go spells it: `0s`, `1.5s`, `2m0.25s`, `1h0m3s`; below a second `250ms`."""
    milliseconds = round(seconds * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _capabilities(kind: str) -> Callable[[ProcessFacts], str]:
    def spell(process: ProcessFacts) -> str:
        names = process.capabilities.get(kind, ())
        return "full" if names is None else ",".join(sorted(names)) or "none"

    return spell


def _seccomp(process: ProcessFacts) -> str:
    modes = {0: "disabled", 1: "strict", 2: "filter"}
    return "?" if process.seccomp is None else modes.get(process.seccomp, "?")


def _names(people: Sequence[Person]) -> str:
    return ",".join(person.inside for person in people)


def _percent(process: ProcessFacts) -> str:
    elapsed = process.elapsed_seconds
    return f"{100 * process.cpu_seconds / elapsed if elapsed else 0:.3f}"


def _arguments(process: ProcessFacts) -> str:
    return " ".join(process.arguments) or f"[{process.command}]"


_DESCRIPTORS: Final[Mapping[str, Descriptor]] = {
    "args": Descriptor("COMMAND", _arguments),
    "capamb": Descriptor("AMBIENT CAPS", _capabilities("ambient")),
    "capbnd": Descriptor("BOUNDING CAPS", _capabilities("bounding")),
    "capeff": Descriptor("EFFECTIVE CAPS", _capabilities("effective")),
    "capinh": Descriptor("INHERITED CAPS", _capabilities("inherited")),
    "capprm": Descriptor("PERMITTED CAPS", _capabilities("permitted")),
    "comm": Descriptor("COMMAND", lambda process: process.command),
    "etime": Descriptor("ELAPSED", lambda process: go_duration(process.elapsed_seconds)),
    "group": Descriptor("GROUP", lambda process: process.group.inside),
    "groups": Descriptor("GROUPS", lambda process: _names(process.groups)),
    "hgroup": Descriptor("HGROUP", lambda process: process.group.outside),
    "hgroups": Descriptor("HGROUPS", lambda process: ",".join(str(each.number) for each in process.groups)),
    "hpid": Descriptor("HPID", lambda process: str(process.host_pid)),
    "huid": Descriptor("HUID", lambda process: str(process.user.number)),
    "huser": Descriptor("HUSER", lambda process: process.user.outside),
    "label": Descriptor("LABEL", lambda process: process.label or "?"),
    "nice": Descriptor("NI", lambda process: str(process.nice)),
    "pcpu": Descriptor("%CPU", _percent),
    "pgid": Descriptor("PGID", lambda process: str(process.process_group)),
    "pid": Descriptor("PID", lambda process: str(process.pid)),
    "ppid": Descriptor("PPID", lambda process: str(process.parent)),
    "rgroup": Descriptor("RGROUP", lambda process: process.real_group.inside),
    "rss": Descriptor("RSS", lambda process: str(process.resident_kib)),
    "ruser": Descriptor("RUSER", lambda process: process.real_user.inside),
    "seccomp": Descriptor("SECCOMP", _seccomp),
    "state": Descriptor("STATE", lambda process: process.state),
    "stime": Descriptor("STIME", lambda process: f"{process.started:%Y-%m-%d %H:%M:%S} +0000 UTC"),
    "time": Descriptor("TIME", lambda process: go_duration(int(process.cpu_seconds))),
    "tty": Descriptor("TTY", lambda process: process.terminal or "?"),
    "uid": Descriptor("UID", lambda process: str(process.user.number)),
    "user": Descriptor("USER", lambda process: process.user.inside),
    "vsz": Descriptor("VSZ", lambda process: str(process.virtual_kib)),
}

_CODES: Final[Mapping[str, str]] = {
    "%C": "pcpu",
    "%G": "group",
    "%P": "ppid",
    "%U": "user",
    "%a": "args",
    "%c": "comm",
    "%g": "rgroup",
    "%n": "nice",
    "%p": "pid",
    "%r": "pgid",
    "%t": "etime",
    "%u": "ruser",
    "%x": "time",
    "%y": "tty",
    "%z": "vsz",
}
