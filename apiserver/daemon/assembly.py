"""Builds the whole service by constructor, with no command line: the only place that knows every part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from apiserver.daemon.endpoints import Endpoint, PassedEndpoint, parse_endpoint
from apiserver.daemon.environment import Invocation
from apiserver.daemon.options import DEFAULT_LISTEN, Options
from apiserver.daemon.root import OwnedRoot
from apiserver.daemon.service import Daemon, Engine
from apiserver.http.app import GroupApp
from apiserver.http.router import Router
from apiserver.http.settings import HttpSettings
from apiserver.http.site import make_factory
from apiserver.local.paths import Paths

log = Logger()


def where_to_listen(options: Options, invocation: Invocation) -> tuple[Endpoint, ...]:
    """The endpoints that were asked for, or else all that were passed, or else the default socket."""
    if options.listen:
        return options.listen
    if invocation.passed:
        return tuple(PassedEndpoint(index=index) for index in range(len(invocation.passed)))
    return (parse_endpoint(DEFAULT_LISTEN),)


def build(options: Options, listeners: Sequence[Endpoint], *, invocation: Invocation, reactor: Any) -> Daemon:
    """The daemon with everything in it; it starts when the reactor runs.

    Args:
        listeners: where to listen, see `where_to_listen`.
        invocation: what systemd said, already taken out of the environment.
    """
    daemon = Daemon(options, listeners, invocation, reactor)
    settings = _http_settings(options)
    router = Router(build_apps())
    if settings.cors_origin is not None:
        log.warn("pages of {origin} may call this API", origin=settings.cors_origin)
    if settings.trace:
        for route in router.routes:
            log.debug("route {methods} {path}", methods=",".join(route.methods) or "*", path=route.path, trace=True)

    def make_http(uri: str) -> IProtocolFactory:
        factory: IProtocolFactory = make_factory(router, settings, reactor, uri)
        return factory

    daemon.serve(build_engine(options, reactor), make_http)
    return daemon


def build_engine(options: Options, reactor: Any) -> Engine:
    """The engine on this machine; started alone it locks the root, reconciles, and has no listener."""
    return OwnedRoot(Paths(options.root, options.runroot), reactor)


def build_apps() -> list[GroupApp]:
    """The groups' apps in order of precedence."""
    return []


def served_routes() -> Iterable[tuple[str, str, str]]:
    """(method, path, group) of each route that is built."""
    return []


def missing_routes() -> Iterable[tuple[str, str, str]]:
    """(method, path, group) of each route that is known and not built."""
    return []


def _http_settings(options: Options) -> HttpSettings:
    return HttpSettings(
        keep_alive=2 * options.idle_timeout,
        cors_origin=options.cors,
        trace=options.log_level == "trace",
    )
