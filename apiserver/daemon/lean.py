"""Keeps what no request needs from being imported at the start; called before Twisted is imported.

Shares of a start on a loaded machine with two cores: OpenSSL and cryptography 60 to 130 ms, Werkzeug's development
server and test client 25, Klein's forms and sessions 14, http.cookiejar with urllib.request and http.client 29, the
loops of asyncio with ssl 40.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    _asyncio_without_its_loops()
    _when_first_used("urllib.request")  # imported by xml.sax.saxutils, which twisted.web's templates import
    _when_first_used("http.cookiejar")  # twisted.python.compat passes it on to callers of old


def _without_its_init(package: str) -> None:
    """Put the bare package there, so that its modules can be imported but nothing else is."""
    spec = find_spec(package)
    if package not in sys.modules and spec is not None:
        sys.modules[package] = module_from_spec(spec)


def _asyncio_without_its_loops() -> None:
    """What twisted.internet.defer takes from it; the whole package fills itself when somebody asks for anything else.

    The loops import ssl, and that the library of OpenSSL: 2 MB that stay.
    """
    spec = find_spec("asyncio")
    if "asyncio" in sys.modules or spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["asyncio"] = module
    # By name, not `from asyncio import`: these import each other, and the package must not fill itself meanwhile.
    for name, source in (("AbstractEventLoop", "events"), ("Future", "futures"), ("iscoroutine", "coroutines")):
        setattr(module, name, getattr(import_module(f"asyncio.{source}"), name))
    _fill_when_asked(module, spec.loader)


def _when_first_used(name: str) -> None:
    """Put an empty module there, which fills itself when somebody asks for anything in it.

    importlib's LazyLoader does not do: the import statement itself looks at `__spec__`, and that fills its module.
    """
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    _fill_when_asked(module, spec.loader)
    sys.modules[name] = module
    package, _, last = name.rpartition(".")
    setattr(sys.modules[package], last, module)


def _fill_when_asked(module: ModuleType, loader: Loader) -> None:
    """Run the module's own code at the first look for a name that is not there yet."""

    def fill(attribute: str) -> object:
        if not attribute.startswith("__") and vars(module).pop("__getattr__", None) is not None:
            loader.exec_module(module)
            return getattr(module, attribute)
        raise AttributeError(f"module {module.__name__!r} has no attribute {attribute!r}")

    vars(module)["__getattr__"] = fill
