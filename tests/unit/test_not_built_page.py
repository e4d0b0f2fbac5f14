"""docs/not-built.md says what the code refuses, no less and no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from apiserver.daemon.assembly import missing_routes, served_routes
from apiserver.wire.libpod.options import unsupported

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "not-built.md").read_text()
COMMANDS = PAGE.partition("## Commands")[2].partition("## Options")[0]
ROUTES = re.findall(r"`((?:[A-Z]+ )?/[^`]*)`", COMMANDS.replace("`/libpod`", ""))


def flavourless(routes: Iterator[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(method, path.removeprefix("/libpod")) for method, path in routes}


MISSING = flavourless((method, path) for method, path, _ in missing_routes())
SERVED = flavourless((method, path) for method, path, _ in served_routes())


def said_by(entry: str, route: tuple[str, str]) -> bool:
    method, _, path = entry.rpartition(" ")
    return method in ("", route[0]) and fnmatchcase(route[1], path)


def refusals() -> Iterator[str]:
    """The words of every refusal in the code, `…` for what they hold of the request."""
    for path in (ROOT / "apiserver").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="NotImplementedYet"), args=[ast.Constant(value=str(words)), *_]):
                    yield words
                case ast.Call(func=ast.Name(id="NotImplementedYet"), args=[ast.JoinedStr(values=parts), *_]):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)


def test_each_path_that_is_missing_is_on_the_page() -> None:
    assert [route for route in sorted(MISSING) if not any(said_by(entry, route) for entry in ROUTES)] == []


def test_the_page_names_no_path_that_is_served() -> None:
    assert [entry for entry in ROUTES if not any(said_by(entry, route) for route in MISSING)] == []
    assert [entry for entry in ROUTES if any(said_by(entry, route) for route in SERVED - MISSING)] == []


def test_each_option_that_the_code_refuses_by_its_flag_is_on_the_page() -> None:
    table = (ROOT / "apiserver" / "wire" / "docker" / "options" / "unsupported.py").read_text()
    flags = {flag for words in (*refusals(), table) for flag in re.findall(r"--[a-z][a-z0-9-]+", words)}
    assert len(flags) > 20
    assert sorted(flag for flag in flags if not re.search(rf"{flag}(?![a-z0-9-])", PAGE)) == []


def test_each_field_of_a_specification_that_is_refused_is_on_the_page() -> None:
    source = Path(unsupported.__file__).read_text()
    fields = {*unsupported._FIELDS.split(), *unsupported._RENAMED.values()}
    lines = re.findall(r', f?"([A-Za-z_.={}]+)"\),$', source, re.MULTILINE)
    asked = {name.partition("=")[0].rpartition(".")[2] for name in lines}
    assert len(asked) > 15
    assert sorted(name for name in fields | asked if f"`{name}`" not in PAGE) == []
