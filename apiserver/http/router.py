"""Which handler answers: one map over all groups, on the path as it was sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from apiserver.errors import NotImplementedYet
from apiserver.http import answer, guard
from apiserver.http.errors import MethodNotAllowed, NoSuchRoute, UnsupportedMedia
from apiserver.http.flavour import Flavour
from apiserver.http.query import given
from apiserver.http.route import Routed
from apiserver.http.table import LIBPOD_PREFIX, Table, Target, head_of
from apiserver.http.version import LIBPOD, Version, check_docker_version

if TYPE_CHECKING:
    from apiserver.http.request import Request

_VERSION = re.compile(rb"/v([0-9][0-9A-Za-z.-]*)(/.*)", re.DOTALL)
_UNCLEAN = re.compile(rb"//|/\.\.?(?:/|$)")
_LIBPOD_PREFIX: Final = LIBPOD_PREFIX.encode()
_UNVERSIONED_LIBPOD: Final = b"/libpod/_ping"


class Catalogue(Protocol):
    """The full list of routes, also of those that are not built."""

    def unbuilt(self, method: str, path: str, major: int, query: Callable[[str], bool]) -> str | None:
        """What is known but not built for this request, as `METHOD path`; None if there is no such route."""

    def knows_by_others(self, path: str, method: str) -> bool:
        """Whether methods other than `method` are known for `path`."""


class Router(Resource):
    """The root resource.

    Args:
        apps: the groups' apps, in order of precedence; bound ones where they have an instance.
        catalogue: gives the full list of routes, and is called when a request meets no handler for the first time.
        later: apps that are only made when a path comes in that begins with their segment (see `head_of`);
            these alone have its routes then.
    """

    isLeaf = True

    def __init__(
        self,
        apps: Iterable[Routed],
        catalogue: Callable[[], Catalogue] | None = None,
        *,
        later: Mapping[str, Callable[[], Iterable[Routed]]] | None = None,
    ) -> None:
        super().__init__()
        self._load_catalogue = catalogue
        self._catalogue: Catalogue | None = None
        self._table = Table(apps)
        self._later = dict(later or {})
        self._tables: dict[str, Table] = {}

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
        text = _text(path)
        table = self._table_of(head_of(text))
        target = table.static(request, path)
        variables: dict[str, Any] = {}
        if target is None:
            method = request.method.decode("ascii", "replace")
            target, variables, others = table.dynamic(request, text, method)
            if target is None:
                target = self._missed(request, table, text, method, others)
        if target is not None:
            request.route = target.route.path
        return target, variables

    def _table_of(self, head: str) -> Table:
        make = self._later.get(head)
        if make is not None:
            self._tables[head] = Table(make(), head)
            del self._later[head]  # not before: what could not be imported is tried again
        return self._tables.get(head, self._table)

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

    def _missed(self, request: Request, table: Table, path: str, method: str, others: bool) -> Target | None:
        """Nothing has it: it is a preflight (then None), below a prefix, not built yet, or unknown.

        Raises:
            NotImplementedYet, MethodNotAllowed, NoSuchRoute
        """
        if self._catalogue is None and self._load_catalogue is not None:
            self._catalogue = self._load_catalogue()
        catalogue = self._catalogue
        unbuilt = None
        if catalogue is not None:
            unbuilt = catalogue.unbuilt(method, path, request.version.major, lambda name: given(request, name))
            others = others or catalogue.knows_by_others(path, method)
        if method == "OPTIONS" and request.settings.cors_origin is not None and (others or unbuilt is not None):
            return None
        if unbuilt is not None:
            raise NotImplementedYet(unbuilt)
        if (target := table.below(path)) is not None:
            return target
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
