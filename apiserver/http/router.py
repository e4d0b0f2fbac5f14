"""Which handler answers: one map over all groups, on the path as it was sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote

from msgspec import Struct
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, MapAdapter, ValidationError

from apiserver.errors import NotImplementedYet
from apiserver.http import answer, guard
from apiserver.http._twisted import FastRule
from apiserver.http.app import GroupApp, Route
from apiserver.http.errors import MethodNotAllowed, NoSuchRoute, UnsupportedMedia
from apiserver.http.flavour import Flavour
from apiserver.http.query import given
from apiserver.http.version import LIBPOD, Version, check_docker_version

if TYPE_CHECKING:
    from apiserver.http.request import Request

_VERSION = re.compile(rb"/v([0-9][0-9A-Za-z.-]*)(/.*)", re.DOTALL)
_UNCLEAN = re.compile(rb"//|/\.\.?(?:/|$)")
_LIBPOD_PREFIX: Final = b"/libpod/"
_UNVERSIONED_LIBPOD: Final = b"/libpod/_ping"


class Catalogue(Protocol):
    """The full list of routes, also of those that are not built."""

    def unbuilt(self, method: str, path: str, major: int, query: Callable[[str], bool]) -> str | None:
        """What is known but not built for this request, as `METHOD path`; None if there is no such route."""

    def knows(self, path: str) -> bool:
        """Whether any method is known for `path`."""


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


class Router(Resource):
    """The root resource.

    Args:
        apps: the groups' apps, in order of precedence; bound ones where they have an instance.
        catalogue: gives the full list of routes, and is called when a request meets no handler for the first time.
    """

    isLeaf = True

    def __init__(self, apps: Iterable[GroupApp], catalogue: Callable[[], Catalogue] | None = None) -> None:
        super().__init__()
        self._apps = list(apps)
        self._load_catalogue = catalogue
        self._catalogue: Catalogue | None = None
        self._static: dict[bytes, dict[bytes, list[Target]]] = {}
        self._dynamic: dict[tuple[str, str], list[Target]] = {}
        self._prefixes: list[tuple[bytes, Target]] = []
        self._adapter: MapAdapter | None = None
        for app in self._apps:
            for route in app.routes:
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

    @property
    def routes(self) -> Sequence[Route]:
        """All that is built, in order of precedence."""
        return [route for app in self._apps for route in app.routes]

    def render(self, request: Request) -> int:
        """Answer `request`, now or later."""
        if not hasattr(request, "flavour"):
            from apiserver.http.adopt import adopt

            adopt(request)
        try:
            target, variables = self._find(request)
            result = target.call(request, **variables) if target is not None else answer.preflight(request)
        except BaseException as error:  # noqa: BLE001  # whatever a handler raises is answered
            answer.fail(request, error)
        else:
            if type(result) is bytes:
                answer.whole(request, result)
            else:
                answer.later(request, result)
        return NOT_DONE_YET

    # Finding.

    def _find(self, request: Request) -> tuple[Target | None, dict[str, Any]]:
        path = self._strip_version(request)
        guard.refuse_foreign(request)
        if (request.getHeader(b"Content-Type") or b"").startswith(b"application/grpc"):
            raise UnsupportedMedia("application/grpc")
        libpod = request.flavour is Flavour.LIBPOD
        if libpod and not request.version_given and path != _UNVERSIONED_LIBPOD:
            raise NoSuchRoute(_text(path))
        if _UNCLEAN.search(request.path):
            raise answer.Moved(_clean(request.path) + request.uri[len(request.path) :])
        by_method = self._static.get(path)
        if by_method is not None:
            for target in by_method.get(request.method) or by_method.get(b"*") or ():
                if target.serves(request):
                    request.route = target.route.path
                    return target, {}
        return self._find_dynamic(request, path)

    def _strip_version(self, request: Request) -> bytes:
        """The path without its version, which goes to the request together with the flavour.

        Raises:
            InvalidParameter: a Docker path with a version that we do not serve.
        """
        path: bytes = request.path
        text = None
        if path[:2] == b"/v" and (match := _VERSION.fullmatch(path)) is not None:
            text = match[1].decode("ascii")
            path = match[2]
        if path.startswith(_LIBPOD_PREFIX):
            request.flavour = Flavour.LIBPOD
            request.version = LIBPOD
        if text is not None:
            request.version_given = True
            request.version = Version.parse(text)
            if request.flavour is Flavour.DOCKER:
                check_docker_version(request.version, text)
            if request.connection.requests <= 1:
                request.connection.first_version = request.version
        return path

    def _find_dynamic(self, request: Request, path: bytes) -> tuple[Target | None, dict[str, Any]]:
        text = _text(path)
        method = request.method.decode("ascii", "replace")
        adapter = self._adapter or self._compile()
        others = path in self._static
        try:
            endpoint, variables = adapter.match(text, method)
        except HTTPException as error:
            others = others or error.code == 405
        else:
            targets = self._dynamic[endpoint]
            for target in targets:
                if target.serves(request):
                    request.route = target.route.path
                    return target, dict(variables)
            others = others or not any(target.route.versions for target in targets)
        return self._missed(request, text, method, others)

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

    def _missed(self, request: Request, path: str, method: str, others: bool) -> tuple[Target | None, dict[str, Any]]:
        """Nothing has it: it is a preflight, below a prefix, not built yet, or unknown.

        Raises:
            NotImplementedYet, MethodNotAllowed, NoSuchRoute
        """
        if self._catalogue is None and self._load_catalogue is not None:
            self._catalogue = self._load_catalogue()
        catalogue = self._catalogue
        unbuilt = None
        if catalogue is not None:
            unbuilt = catalogue.unbuilt(method, path, request.version.major, lambda name: given(request, name))
            others = others or catalogue.knows(path)
        if method == "OPTIONS" and request.settings.cors_origin is not None and (others or unbuilt is not None):
            return None, {}
        if unbuilt is not None:
            raise NotImplementedYet(unbuilt)
        for prefix, target in self._prefixes:
            if path.encode().startswith(prefix):
                request.route = target.route.path
                return target, {}
        if others:
            raise MethodNotAllowed(f"{method} {path}")
        raise NoSuchRoute(path)


def _text(path: bytes) -> str:
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        raise NoSuchRoute(path.decode("ascii", "backslashreplace")) from None


@lru_cache(maxsize=64)
def _clean(path: bytes) -> bytes:
    """The path without empty and dot segments; a slash at its end stays."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    cleaned = b"/" + b"/".join(kept)
    return cleaned + b"/" if path.endswith(b"/") and kept else cleaned
