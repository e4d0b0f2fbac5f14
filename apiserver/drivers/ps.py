"""procps' `ps`: which of its arguments a client may give, and what it says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from msgspec import Struct

from apiserver.drivers.process import Programs
from apiserver.errors import PsRefused

TIME_LIMIT: Final = 10.0
OUTPUT_LIMIT: Final = 16 * 1024 * 1024

_NAMES = """
    %cpu %mem args blocked bsdtime c caught cgname cgroup class cls cmd comm command cp cpu cputime cputimes drs
    egid egroup etime etimes euid euser f fgid fgroup flag flags fuid fuser gid group ignored ipcns label lstart lwp
    maj_flt majflt min_flt minflt mntns netns ni nice nlwp pcpu pending pgid pgrp pid pidns pmem policy ppid pri psr
    rgid rgroup rss rssize rsz rtprio ruid ruser s sched sess session sgid sgroup sid sig size spid start_time stat
    state stime suid supgid supgrp suser svgid svuid sz tgid thcount tid time times tname trs tt tty ucmd ucomm uid
    uname user userns utsns vsize vsz wchan
"""
COLUMNS: Final = frozenset(_NAMES.split())
"""What `-o` may name: neither what shows environments (environ), nor what has blanks of its own (start, bsdstart)."""

_WORDS = {"lstart": 5}
_UNIX_FORMATS, _UNIX_OTHERS = frozenset("fFljy"), frozenset("AadeLTmwHc")
_BSD_FORMATS, _BSD_OTHERS = frozenset("julsvX"), frozenset("axrfgcwHmSn")
_NUMBERS = re.compile(r"[0-9]{1,10}(,[0-9]{1,10})*", re.ASCII)


class PsCommand(Struct, frozen=True):
    """
    Attributes:
        arguments: for `ps`, in a form that it can only read in one way.
        columns: as asked for by name; the process id stands before them, unasked. Empty for a format of its own.
    """

    arguments: tuple[str, ...]
    columns: tuple[str, ...]


class PsRow(Struct, frozen=True):
    """`pid` is None for a thread, which follows its process."""

    pid: int | None
    cells: tuple[str, ...]


def parse(arguments: Sequence[str]) -> PsCommand:
    """Read what a client wants `ps` to show.

    An error in UNIX options makes `ps` read all of them again as BSD ones, where `e` shows environments. So no `e`
    ever reaches it (`-A` means the same), nor any value in an argument of its own.

    Raises:
        PsRefused: an option or column that is not known to be harmless.
    """
    reader = _Reader(arguments)
    reader.read()
    if reader.columns and reader.has_format:
        raise PsRefused("a list of columns goes with no other format")
    if not reader.selects:
        reader.options.append("-A")
    named = [part for column in ("pid", *reader.columns) for part in ("-o", column)] if reader.columns else []
    return PsCommand((*dict.fromkeys(reader.options), *named), tuple(reader.columns))


async def listing(programs: Programs, command: PsCommand) -> tuple[tuple[str, ...], Sequence[PsRow]]:
    """Run it: the titles and all rows, of whatever process.

    Raises:
        PsRefused: `ps` does not take the arguments together, or shows no process ids with them.
        ProgramMissing, ProgramFailed
    """
    # 1 means that nothing was selected, too.
    done = await programs.run(
        ["ps", *command.arguments], time_limit=TIME_LIMIT, ok_codes=(0, 1), stdout_limit=OUTPUT_LIMIT
    )
    lines = done.stdout.decode(errors="replace").split("\n")
    titles = lines[0].split()
    if not titles:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise PsRefused(said or "ps shows nothing with them")
    if "PID" not in titles:
        raise PsRefused("ps shows no PID with them")
    words = [1, *(_WORDS.get(column, 1) for column in command.columns)] if command.columns else [1] * len(titles)
    place = titles.index("PID")
    rows = [_row(_cells(line, words), place) for line in lines[1:] if line.strip()]
    if not command.columns:
        return tuple(titles), rows
    return tuple(titles[1:]), [PsRow(row.pid, row.cells[1:]) for row in rows]


def _row(cells: tuple[str, ...], place: int) -> PsRow:
    return PsRow(int(cells[place]) if cells[place].isdecimal() else None, cells)


def _cells(line: str, words: Sequence[int]) -> tuple[str, ...]:
    """One cell a column; the last one takes the rest of the line."""
    parts, cells = line.split(None, sum(words) - 1), []
    for count in words[:-1]:
        cells.append(" ".join(parts[:count]))
        parts = parts[count:]
    return (*cells, " ".join(parts).rstrip())


class _Reader:
    def __init__(self, arguments: Sequence[str]) -> None:
        self._left = list(arguments)
        self.options: list[str] = []
        self.columns: list[str] = []
        self.selects = self.has_format = False

    def read(self) -> None:
        while self._left:
            argument = self._left.pop(0)
            if argument.startswith("--"):
                self._long(argument)
            elif argument.startswith("-") and len(argument) > 1:
                self._unix(argument[1:])
            elif _NUMBERS.fullmatch(argument):
                self._pids(argument)
            else:
                self._bsd(argument)

    def _long(self, argument: str) -> None:
        name, equals, value = argument[2:].partition("=")
        if name == "forest" and not equals:
            self.options.append("--forest")
        elif name in ("format", "pid", "ppid", "sort"):
            self._valued(name, value if equals else self._next(argument))
        else:
            raise PsRefused(f"{argument[:64]!r} is not among the options that can be given")

    def _unix(self, letters: str) -> None:
        if "x" in letters and set(letters) <= _BSD_FORMATS | _BSD_OTHERS:
            self._bsd(letters)  # `-aux`: ps itself takes it so
            return
        for place, letter in enumerate(letters):
            if letter in "op":
                rest = letters[place + 1 :] or self._next(f"-{letter}")
                self._valued("format" if letter == "o" else "pid", rest)
                return
            self._flag(letter, _UNIX_FORMATS, _UNIX_OTHERS, "Aade", "-")

    def _bsd(self, letters: str) -> None:
        for place, letter in enumerate(letters):
            if letter in "opk":
                rest = letters[place + 1 :] or self._next(letter)
                self._valued({"o": "format", "p": "pid", "k": "sort"}[letter], rest)
                return
            self._flag(letter, _BSD_FORMATS, _BSD_OTHERS, "axr", "")

    def _flag(
        self, letter: str, formats: Collection[str], others: Collection[str], selecting: Collection[str], dash: str
    ) -> None:
        if letter not in formats and letter not in others:
            raise PsRefused(f"{dash + letter!r} is not among the options that can be given")
        self.has_format |= letter in formats
        self.selects |= letter in selecting
        self.options.append("-A" if dash and letter == "e" else dash + letter)

    def _valued(self, name: str, value: str) -> None:
        if name == "format":
            self.columns += _columns(value)
            # `-o "pid comm"`, which a query has taken apart.
            while self._left and len(self._left[0]) > 1 and set(self._left[0].split(",")) <= COLUMNS:
                self.columns += _columns(self._left.pop(0))
        elif name == "sort":
            for each in value.split(","):
                _columns(each[1:] if each[:1] in ("+", "-") else each)
            self.options.append(f"--sort={value}")
        elif not _NUMBERS.fullmatch(value):
            raise PsRefused(f"{value[:64]!r} is no list of process ids")
        else:
            self._pids(value, name)

    def _pids(self, value: str, name: str = "pid") -> None:
        self.selects = True
        self.options.append(f"--{name}={value}")

    def _next(self, option: str) -> str:
        if not self._left:
            raise PsRefused(f"{option[:64]!r} lacks its value")
        return self._left.pop(0)


def _columns(text: str) -> Iterator[str]:
    names = [name for name in text.split(",") if name]
    if not names:
        raise PsRefused("the list of columns is empty")
    for name in names:
        if name not in COLUMNS:
            raise PsRefused(f"{name[:64]!r} is not among the columns that can be shown")
    return iter(names)
