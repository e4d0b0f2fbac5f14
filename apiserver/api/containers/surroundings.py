"""What is shown of things around a container: its networks and volumes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime

from apiserver.engine.networks.service import Networks
from apiserver.engine.ports.networks import Network
from apiserver.engine.volumes.service import Volumes


def networks_by_name(networks: Networks) -> Mapping[str, Network]:
    return {network.name: network for network in networks.all()}


def mountpoints(volumes: Volumes) -> Mapping[str, str]:
    return {volume.name: volume.mountpoint for volume in volumes.all()}


def now(wall_clock: IReactorTime) -> datetime:
    return datetime.fromtimestamp(wall_clock.seconds(), UTC)
