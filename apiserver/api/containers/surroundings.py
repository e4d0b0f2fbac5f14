"""What is shown of things around a container: its networks and volumes, and the name of its image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from apiserver.engine.images.service import Images
from apiserver.engine.networks.service import Networks
from apiserver.engine.ports.networks import Network
from apiserver.engine.volumes.service import Volumes
from apiserver.errors import HostError, InvalidParameter, NoSuchImage

log = Logger()


def networks_by_name(networks: Networks) -> Mapping[str, Network]:
    return {network.name: network for network in networks.all()}


def mountpoints(volumes: Volumes) -> Mapping[str, str]:
    return {volume.name: volume.mountpoint for volume in volumes.all()}


async def image_ids(images: Images) -> Callable[[str], str]:
    """The id of the image that a Docker client's name means, empty for none: by one look at the store.

    A store that cannot be read has none: a list of containers does not fail for it, as with dockerd.
    """
    try:
        lookup = await images.lookup()
    except HostError as error:
        log.warn("containers are listed without the names of their images: {error}", error=error)
        return lambda _: ""

    @cache  # many containers are of few images
    def find(name: str) -> str:
        try:
            return lookup.find(name).id
        except (NoSuchImage, InvalidParameter):
            return ""

    return find


def now(wall_clock: IReactorTime) -> datetime:
    return datetime.fromtimestamp(wall_clock.seconds(), UTC)
