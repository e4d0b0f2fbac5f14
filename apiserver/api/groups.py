"""The groups of the API, in the order in which their routes take precedence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from apiserver.api.archive import ArchiveGroup
from apiserver.api.artifacts import ArtifactsGroup
from apiserver.api.auth import AuthGroup
from apiserver.api.catalogue import Catalogue, Entry, read_entries
from apiserver.api.containers.attach import ContainerAttachGroup
from apiserver.api.containers.life import ContainerLifeGroup
from apiserver.api.containers.listing import ContainerListGroup
from apiserver.api.containers.logs import ContainerLogsGroup
from apiserver.api.containers.wait import ContainerWaitGroup
from apiserver.api.distribution import DistributionGroup
from apiserver.api.events import EventsGroup
from apiserver.api.exec import ExecGroup
from apiserver.api.generate import GenerateGroup
from apiserver.api.healthcheck import HealthcheckGroup
from apiserver.api.images.listing import ImageListGroup
from apiserver.api.images.names import ImageNamesGroup
from apiserver.api.images.transfer import ImageTransferGroup
from apiserver.api.info import InfoGroup
from apiserver.api.kube import KubeGroup
from apiserver.api.manifest import ManifestGroup
from apiserver.api.monitor import MonitorGroup
from apiserver.api.networks import NetworksGroup
from apiserver.api.ping import PingGroup
from apiserver.api.plugins import PluginsGroup
from apiserver.api.pods import PodsGroup
from apiserver.api.quadlets import QuadletsGroup
from apiserver.api.secrets import SecretsGroup
from apiserver.api.swagger import SwaggerGroup
from apiserver.api.swarm import SwarmGroup
from apiserver.api.system import SystemGroup
from apiserver.api.version import VersionGroup
from apiserver.api.volumes import VolumesGroup
from apiserver.http.app import GroupApp, Route
from apiserver.http.router import Router


class Group(NamedTuple):
    """One group: its name in the list of routes, and its classes in order of precedence."""

    name: str
    classes: tuple[Any, ...]


def _group(name: str, *classes: Any) -> Group:
    return Group(name, classes)


GROUPS: Final = (
    _group("auth", AuthGroup),
    _group("artifacts", ArtifactsGroup),
    _group("archive", ArchiveGroup),
    _group(
        "containers",
        ContainerListGroup,
        ContainerLifeGroup,
        ContainerWaitGroup,
        ContainerLogsGroup,
        ContainerAttachGroup,
    ),
    _group("distribution", DistributionGroup),
    _group("events", EventsGroup),
    _group("exec", ExecGroup),
    _group("generate", GenerateGroup),
    _group("healthcheck", HealthcheckGroup),
    _group("images", ImageListGroup, ImageTransferGroup, ImageNamesGroup),
    _group("info", InfoGroup),
    _group("manifest", ManifestGroup),
    _group("monitor", MonitorGroup),
    _group("networks", NetworksGroup),
    _group("ping", PingGroup),
    _group("kube", KubeGroup),
    _group("plugins", PluginsGroup),
    _group("pods", PodsGroup),
    _group("quadlets", QuadletsGroup),
    _group("secrets", SecretsGroup),
    _group("swagger", SwaggerGroup),
    _group("swarm", SwarmGroup),
    _group("system", SystemGroup),
    _group("version", VersionGroup),
    _group("volumes", VolumesGroup),
)


def build_groups(**services: object) -> list[Any]:
    """An instance of each class, its constructor's parameters filled from `services` by name.

    Raises:
        TypeError: a group needs a service that was not given.
    """
    return [_build(name, kind, services) for name, classes in GROUPS for kind in classes]


def _build(name: str, kind: Any, services: dict[str, object]) -> Any:
    wanted = _parameters(kind)
    missing = [each for each in wanted if each not in services]
    if missing:
        raise TypeError(f"the group {name} needs {', '.join(missing)}")
    return kind(**{each: services[each] for each in wanted})


def _parameters(kind: Any) -> tuple[str, ...]:
    code = getattr(kind.__init__, "__code__", None)
    return () if code is None else tuple(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])


def build_apps(**services: object) -> list[GroupApp]:
    """The bound apps of all groups, in order; see `build_groups`."""
    return [group.app for group in build_groups(**services)]


def build_router(**services: object) -> Router:
    """The root resource over all groups; see `build_groups`."""
    return Router(build_apps(**services), load_catalogue)


def built_routes() -> Iterator[tuple[str, Route]]:
    """Group and route of all that is built, without building anything."""
    for name, classes in GROUPS:
        for kind in classes:
            for route in kind.app.routes:
                yield name, route


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
