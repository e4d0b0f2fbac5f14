"""The routes of some apps: static paths in a dict, the rest in one matcher that is compiled when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from msgspec import Struct
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, MapAdapter, ValidationError

from apiserver.http._twisted import FastRule
from apiserver.http.query import given
from apiserver.http.route import Route, Routed

if TYPE_CHECKING:
    from apiserver.http.request import Request

LIBPOD_PREFIX: Final = "/libpod/"


class Target(Struct, frozen=True):
    """A route bound to the group that has it."""

    route: Route
    call: Callable[..., Any]

    def serves(self, request: Request) -> bool:
        route = self.route
        if route.versions is not None and not route.versions[0] <= request.version.major <= route.versions[1]:
            return False
        return route.query is None or given(request, route.query)


class Segment(BaseConverter):
    """One segment, decoded: `%2F` stays inside it."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return _decoded(value)


class Spanning(BaseConverter):
    """One segment or more."""

    regex = "[^/].*?"
    part_isolating = False
    weight = 200

    def to_python(self, value: str) -> str:
        return _decoded(value)


def _decoded(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise ValidationError from None


class Table:
    """
    Args:
        apps: in order of precedence; bound ones where they have an instance.
        head: take only the routes whose path begins with this segment, see `head_of`.
    """

    def __init__(self, apps: Iterable[Routed], head: str | None = None) -> None:
        self._static: dict[bytes, dict[bytes, list[Target]]] = {}
        self._dynamic: dict[tuple[str, str], list[Target]] = {}
        self._prefixes: list[tuple[bytes, Target]] = []
        self._adapter: MapAdapter | None = None
        for app in apps:
            for route in app.routes:
                if head is None or head_of(route.path) == head:
                    self._add(Target(route, partial(app.execute_endpoint, route.endpoint)))

    def _add(self, target: Target) -> None:
        route = target.route
        if route.prefix:
            self._prefixes.append((route.path.encode("ascii"), target))
            return
        for method in route.methods or ("*",):
            if "<" in route.path:
                self._dynamic.setdefault((route.path, method), []).append(target)
            else:
                by_method = self._static.setdefault(route.path.encode("ascii"), {})
                by_method.setdefault(method.encode("ascii"), []).append(target)

    def static(self, request: Request, path: bytes) -> Target | None:
        """The route of exactly this path, for the request's method."""
        by_method = self._static.get(path)
        if by_method is not None:
            for target in by_method.get(request.method) or by_method.get(b"*") or ():
                if target.serves(request):
                    return target
        return None

    def dynamic(self, request: Request, path: str, method: str) -> tuple[Target | None, dict[str, Any], bool]:
        """The route whose template fits, and its variables; last, where there is none, whether others have the path."""
        adapter = self._adapter or self._compile()
        others = path.encode() in self._static
        try:
            endpoint, variables = adapter.match(path, method)
        except HTTPException as error:
            return None, {}, others or error.code == 405
        targets = self._dynamic[endpoint]
        for target in targets:
            if target.serves(request):
                return target, dict(variables), False
        return None, {}, others or not any(target.route.versions for target in targets)

    def below(self, path: str) -> Target | None:
        """The prefix route that it lies below."""
        return next((target for prefix, target in self._prefixes if path.encode().startswith(prefix)), None)

    def _compile(self) -> MapAdapter:
        # Not before the first request that needs it: an idle exit may come first.
        rules = []
        for path, method in self._dynamic:
            methods = None if method == "*" else [method]
            rule = FastRule(path, methods=methods, endpoint=(path, method))
            if methods == ["GET"] and rule.methods is not None:
                rule.methods.discard("HEAD")  # Werkzeug adds it unasked
            rules.append(rule)
        routes = Map(rules, converters={"name": Segment, "image": Spanning}, merge_slashes=False)
        self._adapter = routes.bind("")
        return self._adapter


def head_of(path: str) -> str:
    """The first segment of a path without version, `libpod` not counted: `containers` of `/libpod/containers/json`."""
    start = len(LIBPOD_PREFIX) if path.startswith(LIBPOD_PREFIX) else 1
    return path[start:].partition("/")[0]
