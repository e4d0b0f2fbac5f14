"""Builds the whole service by constructor, with no command line: the only place that knows every part."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import fields, replace
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from apiserver.api.groups import build_router, built_routes, missing_routes, served_routes
from apiserver.daemon.endpoints import Endpoint, PassedEndpoint, TlsEndpoint, parse_endpoint
from apiserver.daemon.engine import LocalEngine
from apiserver.daemon.environment import Invocation
from apiserver.daemon.local import open_ports
from apiserver.daemon.options import DEFAULT_LISTEN, Options
from apiserver.daemon.service import Daemon, Engine
from apiserver.http.router import Router
from apiserver.http.settings import HttpSettings
from apiserver.http.site import make_factory
from apiserver.local.paths import Paths

__all__ = ["build", "build_engine", "missing_routes", "served_routes", "where_to_listen"]

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
    if settings.cors_origin is not None:
        log.warn("pages of {origin} may call this API", origin=settings.cors_origin)
    engine = LocalEngine(
        Paths(options.root, options.runroot),
        reactor,
        partial(open_ports, registry_timeout=options.registry_timeout),
        background=daemon,
        uris=lambda: daemon.uris,
    )
    routers: list[Router] = []

    def make_http(uri: str) -> IProtocolFactory:
        if not routers:  # one for all listeners, over services that are there once the engine has started
            routers.append(_router(engine, settings))
        factory: IProtocolFactory = make_factory(routers[0], _for_listener(settings, uri, listeners), reactor, uri)
        return factory

    daemon.serve(engine, make_http)
    return daemon


def build_engine(options: Options, reactor: Any) -> Engine:
    """The engine on this machine; started alone it locks the root, reconciles, and has no listener."""
    return LocalEngine(Paths(options.root, options.runroot), reactor, open_ports)


def _router(engine: LocalEngine, settings: HttpSettings) -> Router:
    assert engine.services is not None
    services = {field.name: getattr(engine.services, field.name) for field in fields(engine.services)}
    router = build_router(**services)
    if settings.trace:
        for _, route in built_routes():
            log.debug("route {methods} {path}", methods=",".join(route.methods) or "*", path=route.path, trace=True)
    return router


def _http_settings(options: Options) -> HttpSettings:
    return HttpSettings(
        keep_alive=2 * options.idle_timeout,
        cors_origin=options.cors,
        allowed_hosts=frozenset(options.allowed_host),
        trace=options.log_level == "trace",
    )


def _for_listener(settings: HttpSettings, uri: str, listeners: Sequence[Endpoint]) -> HttpSettings:
    """Over TLS clients may also call us by the names in our certificate, which they check us against.

    Raises:
        ListenError: a certificate cannot be read.
    """
    if not uri.startswith("ssl:"):
        return settings
    from apiserver.daemon.tls import certified_names  # only here: it imports OpenSSL

    names = (certified_names(endpoint) for endpoint in listeners if isinstance(endpoint, TlsEndpoint))
    return replace(settings, allowed_hosts=settings.allowed_hosts.union(*names))
