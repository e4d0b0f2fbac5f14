"""What the container services need of the other parts of the engine, and of the daemon."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.network import Network
from apiserver.engine.names import DOCKER_NAMES, ShortNames
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.networks import Endpoint, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort
from apiserver.engine.ports.records import Change
from apiserver.engine.volumes.model import Volume
from apiserver.engine.volumes.service import Making, Wanted


class Journal(Protocol):
    """`engine.events.log.EventLog`."""

    async def commit(self, *changes: Change) -> None: ...


class ImagesInUse(Protocol):
    """`engine.images`: what containers are made of."""

    async def find(self, name: str, short_names: ShortNames = DOCKER_NAMES, /) -> Image:
        """Raises: NoSuchImage, InvalidReference."""
        ...

    async def verify(self, image_id: str) -> None:
        """Raises: ImageRemovedUnderneath."""
        ...


class ContainerNetworks(Protocol):
    """`engine.networks`: leases of addresses, and what a run's network is made of."""

    def check(self, options: Network) -> None:
        """Whether a container can be on the network that it asks for.

        Raises:
            NoSuchNetwork, NotImplementedYet, InvalidParameter
        """
        ...

    async def plan(self, container: Container, run: int, ports: Sequence[PublishedPort]) -> NetworkPlan | None:
        """Lease addresses and say what will be made; None where the container has no network of its own.

        The leases last until `release`.
        """
        ...

    async def open(self, plan: NetworkPlan) -> Sequence[Endpoint] | None:
        """Make the namespace; answers what `attach` will, where that is known before."""
        ...

    async def attach(self, plan: NetworkPlan) -> Sequence[Endpoint]: ...

    async def detach(self, plan: NetworkPlan) -> None: ...

    async def reconcile(self, containers: Sequence[Container]) -> None:
        """Take away what no recorded run has: to be called when the containers are reconciled."""
        ...

    def release(self, container_id: str, run: int) -> None:
        """Give the leases of a run back, after `detach`. Idempotent."""
        ...


class VolumesInUse(Protocol):
    """`engine.volumes.service.Volumes`."""

    def get(self, name: str) -> Volume: ...

    def filling(self, names: Collection[str]) -> AbstractAsyncContextManager[frozenset[str]]: ...

    def making(self, wanted: Sequence[Wanted]) -> AbstractAsyncContextManager[Making]: ...

    async def remove(self, name: str, *, force: bool = False) -> None: ...


class Background(Protocol):
    """`daemon.idle`: work that nobody waits for and that the service must not leave behind."""

    def hold(self, what: str) -> AbstractContextManager[None]: ...
