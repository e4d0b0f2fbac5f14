"""Keeps what no request needs from being imported at the start; called before Twisted is imported.

Shares of a start on a loaded machine with two cores: OpenSSL and cryptography 60 to 130 ms, Werkzeug's development
server and test client 25, what it knows of HTTP's headers 13, Klein's forms and sessions 14, http.cookiejar with
urllib.request and http.client 29, the loops of asyncio with ssl 40.
"""

from __future__ import annotations

import sys
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.abc import Loader
    from types import ModuleType


def import_lean(*, tls: bool) -> None:
    """
    Args:
        tls: whether OpenSSL will be needed; Twisted takes it wherever it is installed, and does without where not.
    """
    if not tls:
        for name in ("OpenSSL", "service_identity"):
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    for package in ("werkzeug", "klein"):  # which only re-export
        _without_its_init(package)
    _when_first_used("urllib.request")  # imported by xml.sax.saxutils, which twisted.web's templates import
    _when_first_used("http.cookiejar")  # twisted.python.compat passes it on to callers of old
    # What twisted.internet.defer takes from it. Its loops import ssl, and that the library of OpenSSL: 2 MB that stay.
    _part_of("asyncio", AbstractEventLoop=".events", Future=".futures", iscoroutine=".coroutines")
    # Werkzeug's routing needs two kinds of dictionary, and raises a redirection that could become an answer of WSGI.
    _when_first_used("werkzeug.http", "parse_set_header")
    _when_first_used("werkzeug.urls", "_urlencode", "uri_to_iri")
    _part_of(
        "werkzeug.datastructures", **dict.fromkeys(("ImmutableDict", "MultiDict", "iter_multi_items"), ".structures")
    )
    _when_first_used("werkzeug.utils", "redirect", cached_property=cached_property)
    # A request of twisted.web could be sent by Perspective Broker.
    _part_of("twisted.spread.pb", Copyable="twisted.spread.flavors", ViewPoint="twisted.spread.flavors")


def _without_its_init(package: str) -> None:
    """Put the bare package there, so that its modules can be imported but nothing else is."""
    spec = find_spec(package)
    if package not in sys.modules and spec is not None:
        sys.modules[package] = module_from_spec(spec)


def _part_of(name: str, **sources: str) -> None:
    """Put a module there with these names alone, each from the module where it is made.

    It fills itself when somebody asks for anything else.
    """
    if (put := _empty(name)) is not None:
        module, loader = put
        # By name, not `from MODULE import`: these import each other, and the module must not fill itself meanwhile.
        for each, source in sources.items():
            setattr(module, each, getattr(import_module(source, name), each))
        _fill_when_asked(module, loader)


def _when_first_used(name: str, *functions: str, **stand_ins: object) -> None:
    """Put a module there which fills itself when somebody asks for anything but the stand-ins that it has.

    importlib's LazyLoader does not do: the import statement itself looks at `__spec__`, and that fills its module.

    Args:
        functions: may be taken from it at once, and fill it when they are called.
    """
    if (put := _empty(name)) is not None:
        module, loader = put
        vars(module).update({each: _call_of(module, each) for each in functions}, **stand_ins)
        _fill_when_asked(module, loader)


def _empty(name: str) -> tuple[ModuleType, Loader] | None:
    """Put a module there with nothing in it; None where it is imported already, or there is none."""
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return None
    module = sys.modules[name] = module_from_spec(spec)
    package, _, last = name.rpartition(".")
    if package:
        setattr(sys.modules[package], last, module)
    return module, spec.loader


def _call_of(module: ModuleType, function: str) -> Callable[..., Any]:
    def call(*arguments: object, **options: object) -> object:
        if vars(module).get(function) is call:
            delattr(module, function)
        return getattr(module, function)(*arguments, **options)

    return call


def _fill_when_asked(module: ModuleType, loader: Loader) -> None:
    """Run the module's own code at the first look for a name that is not there yet."""

    def fill(attribute: str) -> object:
        if not attribute.startswith("__") and vars(module).pop("__getattr__", None) is not None:
            loader.exec_module(module)
            return getattr(module, attribute)
        raise AttributeError(f"module {module.__name__!r} has no attribute {attribute!r}")

    vars(module)["__getattr__"] = fill
