"""What differs between two servers' answers, why, and how that is kept in a file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.answers.normal import label_of

ABSENT = "absent"
_LINE = re.compile(r"  (?P<where>\S.*?) \| ours: (?P<ours>.*) \| theirs: (?P<theirs>.*)")


class Difference(NamedTuple):
    """One place, and what stands there, as JSON or the word `absent`.

    Attributes:
        where: the document's name, a space and a path in it: `container-running HostConfig.Binds`.
    """

    where: str
    ours: str
    theirs: str

    @property
    def line(self) -> str:
        return f"  {self.where} | ours: {self.ours} | theirs: {self.theirs}"


class Reason(NamedTuple):
    """Why some places differ; `*` in a pattern stands for any text."""

    why: str
    patterns: tuple[str, ...]

    def explains(self, where: str) -> bool:
        return any(_matches(pattern, where) for pattern in self.patterns)


def _matches(pattern: str, where: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), where) is not None


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[Difference]:
    """Of two sets of documents, by document and path."""
    found: list[Difference] = []
    for name in sorted(ours | theirs):
        found += _compare(f"{name} ", ours[name], theirs[name])
    return found


def _compare(where: str, ours: Any, theirs: Any) -> Iterator[Difference]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours | theirs):
            inner = where + ("" if where.endswith(" ") else ".") + key
            if key in ours and key in theirs:
                yield from _compare(inner, ours[key], theirs[key])
            else:
                yield Difference(inner, _text(ours, key), _text(theirs, key))
    elif _are_objects(ours) and _are_objects(theirs):
        mine, other = _named(ours), _named(theirs)
        for key in sorted(mine | other):
            if key in mine and key in other:
                yield from _compare(f"{where}[{key}]", mine[key], other[key])
            else:
                yield Difference(f"{where}[{key}]", _text(mine, key), _text(other, key))
    elif ours != theirs:
        yield Difference(where, json.dumps(ours), json.dumps(theirs))


def places(documents: dict[str, Any]) -> dict[str, str]:
    """Every place there is in some documents, named as in a difference, with what stands there as JSON."""
    found: dict[str, str] = {}
    for name, document in documents.items():
        found |= _places(f"{name} ", document)
    return found


def _places(where: str, value: Any) -> Iterator[tuple[str, str]]:
    yield where, json.dumps(value)
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inner = ((where + ("" if where.endswith(" ") else ".") + key, each) for key, each in value.items())
    elif _are_objects(value):
        inner = ((f"{where}[{key}]", each) for key, each in _named(value).items())
    for place, each in inner:
        yield from _places(place, each)


def disagreements(found: Iterable[Difference], ours: dict[str, Any]) -> list[str]:
    """Which differences say of our answers what these answers do not."""
    there = places(ours)
    return [each.where for each in found if there.get(each.where, ABSENT) != each.ours]


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _named(values: list[Any]) -> dict[str, Any]:
    return {label_of(each, str(number)): each for number, each in enumerate(values)}


def _text(values: dict[str, Any], key: str) -> str:
    return json.dumps(values[key]) if key in values else ABSENT


def read_reasons(path: Path) -> list[Reason]:
    """The hand-written `[[reason]]` tables with `why` and `where`."""
    tables = tomllib.loads(path.read_text())["reason"]
    return [Reason(" ".join(table["why"].split()), tuple(table["where"])) for table in tables]


def complaints(found: Iterable[Difference], reasons: list[Reason]) -> list[str]:
    """Differences without a reason, and patterns of reasons without a difference."""
    places = [each.where for each in found]
    said = [f"no reason is given for: {where}" for where in places if not any(r.explains(where) for r in reasons)]
    for reason in reasons:
        for pattern in reason.patterns:
            if not any(_matches(pattern, where) for where in places):
                said.append(f"nothing differs any more at: {pattern}")
    return said


def report(title: str, found: list[Difference], reasons: list[Reason]) -> str:
    """The text that is kept: each reason with the differences that it explains."""
    parts = [title]
    left = list(found)
    for reason in reasons:
        mine = [each for each in left if reason.explains(each.where)]
        left = [each for each in left if each not in mine]
        if mine:
            parts.append("\n".join([reason.why, *(each.line for each in mine)]))
    if left:
        parts.append("\n".join(["NO REASON IS GIVEN FOR", *(each.line for each in left)]))
    return "\n\n".join(parts) + "\n"


def read_report(text: str) -> list[Difference]:
    return [Difference(**match.groupdict()) for match in map(_LINE.fullmatch, text.splitlines()) if match]
