"""Knowledge goes one way: which package may import which."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "apiserver"

EVERYBODY = frozenset({"errors", "deferreds", "jsonvalue"})

# layer -> what it may import besides itself and EVERYBODY; a name stands for all below it
KNOWS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "deferreds": frozenset(),
    "jsonvalue": frozenset(),
    "http": frozenset(),
    "config": frozenset(),
    "engine": frozenset(),
    "wire": frozenset({"engine"}),
    "api": frozenset({"http", "wire", "engine"}),
    "drivers": frozenset({"config.host"}),
    # what the engine's objects are, never its services
    "local": frozenset({"engine.ports", "engine.*.model", "engine.containers.options", "drivers", "config"}),
    "access": frozenset({"http", "engine"}),
    "observe": frozenset({"http", "engine"}),
    "tap": frozenset({"daemon", "config"}),
    "cli": frozenset({"daemon", "config"}),
    "__main__": frozenset({"cli"}),
}
KNOWS_ALL = frozenset({"daemon"})
ALONE = frozenset({"exited", "guard"})

# the cli's two are mains: they take it and hand it on
MAY_USE_THE_GLOBAL_REACTOR = ("apiserver.daemon", "apiserver.tap", "apiserver.cli.serve", "apiserver.cli.reconcile")


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str, root: Path) -> bool:
    path = root.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports(path: Path, root: Path = ROOT) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each import in a file: at any depth, for type checking alone, or by name."""
    name = module_name(path, root)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield node.lineno, alias.name
            case ast.ImportFrom():
                base = node.module or ""
                if node.level:
                    above = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*above, *filter(None, [base])])
                for alias in node.names:
                    whole = f"{base}.{alias.name}"
                    # what is no module of ours is a name in one; outside, it does not matter which
                    yield node.lineno, base if base.startswith(PACKAGE) and not is_module(whole, root) else whole
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(target)), *_]):
                yield node.lineno, target


def covers(allowed: str, name: str) -> bool:
    """Whether the dotted `name` is `allowed` or below it; `*` in `allowed` is any one part."""
    wanted, parts = allowed.split("."), name.split(".")
    return len(parts) >= len(wanted) and all(w in ("*", p) for w, p in zip(wanted, parts, strict=False))


def may_import(importer: str, imported: str) -> bool:
    """For names inside the package, without its own name in front."""
    layer, target = importer.split(".")[0], imported.split(".")[0]
    if ALONE & {layer, target}:
        return layer == target
    if layer in KNOWS_ALL or target in EVERYBODY or layer == target:
        return True
    return any(covers(allowed, imported) for allowed in KNOWS[layer])


def sources() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def inside(name: str) -> str | None:
    """The name without the package's own; None for what is not ours, or the package itself."""
    return name.removeprefix(f"{PACKAGE}.") if name.startswith(f"{PACKAGE}.") else None


def circle(graph: Mapping[str, Set[str]]) -> list[str]:
    """Names each of which knows the one before it, the first again at the end; [] where there is no such circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_module_belongs_to_a_layer() -> None:
    known = KNOWS.keys() | KNOWS_ALL | ALONE
    layers = {name.split(".")[0] for path in sources() if (name := inside(module_name(path)))}
    assert layers <= known


def test_no_layer_imports_what_it_must_not_know() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {importer} must not know {imported}"
        for path in sources()
        if (importer := inside(module_name(path)))
        for line, name in imports(path)
        if (imported := inside(name)) and not may_import(importer, imported)
    ]
    assert wrong == []


def test_the_two_flavours_do_not_know_each_other() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for flavour, other in (("docker", "libpod"), ("libpod", "docker"))
        for path in sources()
        if covers(f"apiserver.wire.{flavour}", module_name(path))
        for line, name in imports(path)
        if covers(f"apiserver.wire.{other}", name)
    ]
    assert wrong == []


def test_no_modules_know_each_other_in_a_circle_not_even_for_types() -> None:
    graph = {name: {known for _, known in imports(path)} - {name} for path in sources() if (name := module_name(path))}
    assert circle(graph) == []


def test_a_circle_is_found_however_long_it_is() -> None:
    chain = {"a": {"b", "x"}, "b": {"c"}, "c": set[str]()}
    assert circle(chain) == []
    assert sorted(set(circle(chain | {"c": {"a"}}))) == ["a", "b", "c"]


def test_what_outlives_the_service_needs_the_standard_library_alone() -> None:
    foreign = [
        name
        for path in sources()
        if inside(module_name(path)) in ALONE
        for _, name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names
    ]
    assert foreign == []


def test_only_the_daemon_and_the_mains_take_the_global_reactor() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources()
        if not any(covers(allowed, module_name(path)) for allowed in MAY_USE_THE_GLOBAL_REACTOR)
        for line, name in imports(path)
        if name == "twisted.internet.reactor"
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("api.volumes", "engine.volumes", True),
        ("api.volumes", "errors", True),
        ("api.volumes", "local.volumes", False),
        ("engine.containers.stop", "wire.docker", False),
        ("local.runs.launch", "engine.ports.runs", True),
        ("local.runs.launch", "engine.containers.options.limits", True),
        ("local.records", "engine.events.model", True),
        ("local.runs.launch", "engine.containers.stop", False),
        ("local.runs.launch", "engine.containers", False),
        ("drivers.crun", "config.host", True),
        ("drivers.crun", "config.storage_conf", False),
        ("daemon.assembly", "local.records", True),
        ("daemon.assembly", "exited", False),
        ("exited", "errors", False),
        ("guard", "exited", False),
        ("errors", "http.errors", False),
    ],
)
def test_the_rules_say(importer: str, imported: str, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


def test_imports_are_found_wherever_and_however_they_are_written(tmp_path: Path) -> None:
    package = tmp_path / "apiserver" / "engine"
    (package / "ports").mkdir(parents=True)
    (tmp_path / "apiserver" / "http.py").touch()
    source = package / "pods.py"
    source.write_text(
        "from . import ports\n"
        "from .ports import Runs\n"
        "from ..http import Request\n"
        "def late():\n"
        "    import apiserver.local\n"
        "    importlib.import_module('apiserver.wire')\n"
        "from apiserver import http\n"
        "from twisted.internet import reactor\n"
    )
    found = sorted(imports(source, tmp_path))
    assert found == [
        (1, "apiserver.engine.ports"),
        (2, "apiserver.engine.ports"),
        (3, "apiserver.http"),
        (5, "apiserver.local"),
        (6, "apiserver.wire"),
        (7, "apiserver.http"),
        (8, "twisted.internet.reactor"),
    ]
