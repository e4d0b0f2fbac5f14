"""The Klein app of a group: routes with our converters, whose resource works alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from apiserver.http import _twisted
from apiserver.http._twisted import Klein
from apiserver.http.route import Route

if TYPE_CHECKING:
    from apiserver.http.router import Router

Handler = TypeVar("Handler", bound=Callable[..., Any])


class _Routes(list[Route]):
    """In the place of Klein's map: rules are compiled once, by the router, and only those that are needed."""

    def add(self, rule: object) -> None:
        """Klein hands a Werkzeug rule over; what we need of it is in the `Route` already."""


class GroupApp(Klein):
    """A Klein app for one group; see `group_app`."""

    def __init__(self) -> None:
        super().__init__()
        _twisted.replace_url_map(self, _Routes())

    def __get__(self, instance: object, owner: object) -> GroupApp:
        bound = super().__get__(instance, owner)
        assert isinstance(bound, GroupApp)  # Klein makes the bound one from our class
        return bound

    @property
    def routes(self) -> list[Route]:
        routes = _twisted.url_map(self)
        assert isinstance(routes, _Routes)
        return routes

    def route(  # type: ignore[override]
        self,
        url: str,
        *,
        methods: Iterable[str],
        versions: tuple[int, int] | None = None,
        query: str | None = None,
        prefix: bool = False,
        endpoint: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Register a handler.

        Args:
            url: `<name:name>` is one segment, decoded, so that it may hold slashes that came as %2F;
                `<image:name>` spans segments.
            methods: upper case; `("*",)` is any. HEAD is never added.
            versions: lowest and highest major version that it serves.
            query: name that the query must have for it to match.
            prefix: with a path that ends in a slash: everything below it.
            endpoint: the function's name where not given; it must be free.
        """
        listed = () if "*" in methods else tuple(methods)

        def register(handler: Handler) -> Handler:
            name = endpoint or handler.__name__
            if name in self.endpoints:
                raise ValueError(f"two handlers are named {name}: the second would replace the first")
            Klein.route(self, url, methods=listed or None, endpoint=name)(handler)
            self.routes.append(Route(url, listed, name, versions, query, prefix))
            return handler

        return register

    def resource(self) -> Router:  # type: ignore[override]
        """A leaf resource that answers this group's routes, with versions and the error table."""
        from apiserver.http.router import Router

        return Router([self])


def group_app() -> GroupApp:
    """A new app, to be the class attribute `app` of a group.

    A handler takes the request and the path's variables, sync or async. It returns what a `reply_` function
    gave, or None after `open_stream` or `hijack`, which end with it. What it raises is answered by the error
    table. It is cancelled when its client hangs up.
    """
    return GroupApp()
