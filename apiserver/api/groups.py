"""The groups of the API, in the order in which their routes take precedence.

A group is named here and imported when a path comes in that it may have: what no request needs yet is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from typing import Any, Final, NamedTuple

from apiserver.api.catalogue import Catalogue, Entry, read_entries
from apiserver.http.app import GroupApp
from apiserver.http.route import Route
from apiserver.http.router import Router


class Group(NamedTuple):
    """One group.

    Attributes:
        name: in the list of routes.
        heads: what its paths begin with, `/libpod` aside.
        classes: `module:class` below this package, in order of precedence.
    """

    name: str
    heads: tuple[str, ...]
    classes: tuple[str, ...]


def _group(name: str, heads: str, *classes: str) -> Group:
    return Group(name, tuple(heads.split()), classes)


GROUPS: Final = (
    _group("auth", "auth", "auth:AuthGroup"),
    _group("artifacts", "artifacts", "artifacts:ArtifactsGroup"),
    _group("archive", "containers", "archive:ArchiveGroup"),
    _group(
        "containers",
        "containers",
        "containers.listing:ContainerListGroup",
        "containers.create:ContainerCreateGroup",
        "containers.life:ContainerLifeGroup",
        "containers.wait:ContainerWaitGroup",
        "containers.logs:ContainerLogsGroup",
        "containers.top:ContainerTopGroup",
        "containers.attach:ContainerAttachGroup",
    ),
    _group("distribution", "distribution", "distribution:DistributionGroup"),
    _group("events", "events", "events:EventsGroup"),
    _group("exec", "containers exec", "exec:ExecGroup"),
    _group("generate", "generate", "generate:GenerateGroup"),
    _group("healthcheck", "containers", "healthcheck:HealthcheckGroup"),
    _group(
        "images",
        "images commit build local session",
        "images.listing:ImageListGroup",
        "images.transfer:ImageTransferGroup",
        "images.pull:ImagePullGroup",
        "images.push:ImagePushGroup",
        "images.save:ImageSaveGroup",
        "images.names:ImageNamesGroup",
    ),
    _group("info", "info", "info:InfoGroup"),
    _group("manifest", "manifests", "manifest:ManifestGroup"),
    _group("monitor", "monitor", "monitor:MonitorGroup"),
    _group("networks", "networks", "networks:NetworksGroup"),
    _group("ping", "_ping", "ping:PingGroup"),
    _group("kube", "play kube", "kube:KubeGroup"),
    _group("plugins", "plugins", "plugins:PluginsGroup"),
    _group("pods", "pods", "pods:PodsGroup"),
    _group("quadlets", "quadlets", "quadlets:QuadletsGroup"),
    _group("secrets", "secrets", "secrets:SecretsGroup"),
    _group("swagger", "swagger", "swagger:SwaggerGroup"),
    _group("swarm", "configs nodes secrets services swarm tasks", "swarm:SwarmGroup"),
    _group("system", "system", "system:SystemGroup"),
    _group("version", "version", "version:VersionGroup"),
    _group("volumes", "volumes", "volumes:VolumesGroup"),
)


def load_class(reference: str) -> Any:
    """The class that a `Group` names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(f"{__package__}.{module}"), name)


def build_groups(**services: object) -> list[Any]:
    """An instance of each class, its constructor's parameters filled from `services` by name.

    Raises:
        TypeError: a group needs a service that was not given.
    """
    return [_build(group.name, each, services) for group in GROUPS for each in group.classes]


def _build(name: str, reference: str, services: dict[str, object]) -> Any:
    kind = load_class(reference)
    wanted = _parameters(kind)
    missing = [each for each in wanted if each not in services]
    if missing:
        raise TypeError(f"the group {name} needs {', '.join(missing)}")
    return kind(**{each: services[each] for each in wanted})


def _parameters(kind: Any) -> tuple[str, ...]:
    code = getattr(kind.__init__, "__code__", None)
    return () if code is None else tuple(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])


def build_router(**services: object) -> Router:
    """The root resource over all groups, each made when it is first needed; see `build_groups`."""

    @cache
    def app(name: str, reference: str) -> GroupApp:
        made: GroupApp = _build(name, reference, services).app
        return made

    def apps(head: str) -> list[GroupApp]:
        return [app(group.name, each) for group in GROUPS if head in group.heads for each in group.classes]

    heads = {head for group in GROUPS for head in group.heads}
    return Router((), load_catalogue, later={head: partial(apps, head) for head in heads})


def built_routes() -> Iterator[tuple[str, Route]]:
    """Group and route of all that is built; imports all groups, and builds none."""
    for group in GROUPS:
        for reference in group.classes:
            for route in load_class(reference).app.routes:
                yield group.name, route


def load_catalogue() -> Catalogue:
    """The full list of routes, with what is built left out of the unbuilt ones."""
    return Catalogue(read_entries(), built_routes())


def served_routes() -> list[tuple[str, str, str]]:
    """(method, path, group) of each known route that is built."""
    return [_listed(entry) for entry in load_catalogue().built]


def missing_routes() -> list[tuple[str, str, str]]:
    """(method, path, group) of each known route that is not built."""
    return [_listed(entry) for entry in load_catalogue().missing]


def _listed(entry: Entry) -> tuple[str, str, str]:
    return entry.method, entry.path, entry.group
