"""The full list of routes of both APIs, read from a file only when it is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from apiserver.http.route import Route

Key: TypeAlias = "tuple[str, str, tuple[int, int] | None, str | None]"
"""What makes a route one: method, path with names blanked, version range, query match."""

_NAME_IN_TEMPLATE = re.compile(r"\{(\w+)\}")
_NAME_IN_CODE = re.compile(r"<[^<>]*>")


class Entry(Struct, frozen=True):
    """One route of the list.

    Attributes:
        method: upper case, or "*" for any.
        path: template, such as `/containers/{name}/json`.
        spans: names in it that may hold slashes.
        versions: lowest and highest major version, or None for all.
        query: name that the query must have, or None.
        prefix: whether everything below the path matches, too.
        meaning: what a user asked for who was led here by another command, and what to do instead; or "".
    """

    group: str
    method: str
    path: str
    spans: tuple[str, ...] = ()
    versions: tuple[int, int] | None = None
    query: str | None = None
    prefix: bool = False
    meaning: str = ""

    @property
    def key(self) -> Key:
        return self.method, _NAME_IN_TEMPLATE.sub("{}", self.path), self.versions, self.query

    def matches(self, path: str) -> bool:
        literal = self.path.partition("{")[0]
        if not path.startswith(literal):
            return False
        if self.prefix or path == self.path:
            return True
        return literal != self.path and _pattern(self.path, self.spans).fullmatch(path) is not None


@lru_cache(maxsize=512)
def _pattern(template: str, spans: tuple[str, ...]) -> re.Pattern[str]:
    pieces = _NAME_IN_TEMPLATE.split(template)
    for index in range(1, len(pieces), 2):
        pieces[index] = "[^/].*" if pieces[index] in spans else "[^/]+"
    for index in range(0, len(pieces), 2):
        pieces[index] = re.escape(pieces[index])
    return re.compile("".join(pieces))


def keys_of(route: Route) -> list[Key]:
    """The keys of a registration in code, one per method."""
    blanked = _NAME_IN_CODE.sub("{}", route.path)
    return [(method, blanked, route.versions, route.query) for method in route.methods or ("*",)]


def read_entries() -> list[Entry]:
    """All routes, in order of precedence of their groups."""
    text = Path(__file__).with_name("routes.json").read_text(encoding="utf-8")
    return [_entry(values) for values in json.loads(text)]


def _entry(values: dict[str, object]) -> Entry:
    for name in ("spans", "versions"):
        if name in values:
            values[name] = tuple(values[name])  # type: ignore[arg-type]  # the file has lists there
    return Entry(**values)  # type: ignore[arg-type]  # a test reads the whole file


class Catalogue:
    """All routes, split into those that are built and those that are not.

    An entry counts as built if a handler has its key, or if it lies below a prefix route of its own group.

    Args:
        built: group and registration of all that has a handler.
    """

    def __init__(self, entries: Iterable[Entry], built: Iterable[tuple[str, Route]]) -> None:
        keys: set[Key] = set()
        prefixes: set[tuple[str, str]] = set()
        for group, route in built:
            keys.update(keys_of(route))
            if route.prefix:
                prefixes.add((group, route.path))
        self.entries = list(entries)
        self.built: list[Entry] = []
        self.missing: list[Entry] = []
        for entry in self.entries:
            below = any(group == entry.group and entry.path.startswith(path) for group, path in prefixes)
            (self.built if entry.key in keys or below else self.missing).append(entry)

    def unbuilt(self, method: str, path: str, major: int, query: Callable[[str], bool]) -> str | None:
        """The template of the route that is missing for this request, with its method and what it means to a user;
        None if there is none.

        Args:
            path: percent-encoded, without version.
            major: of the request's version.
            query: tells whether the query has a name.
        """
        for entry in self.missing:
            if (
                entry.method in (method, "*")
                and entry.matches(path)
                and (entry.versions is None or entry.versions[0] <= major <= entry.versions[1])
                and (entry.query is None or query(entry.query))
            ):
                asked = f"{method} {entry.path}"
                return f"{entry.meaning}: {asked}" if entry.meaning else asked
        return None

    def knows_by_others(self, path: str, method: str) -> bool:
        """Whether methods other than `method` are known for `path`; prefix routes aside, which take all."""
        return any(
            not entry.prefix and entry.method not in (method, "*") and entry.matches(path) for entry in self.entries
        )
