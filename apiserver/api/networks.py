"""Networks: create, list, inspect, connect, disconnect, remove, prune."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import now
from apiserver.engine.containers.services import Containers
from apiserver.engine.networks.service import Networks
from apiserver.engine.ports.networks import Network
from apiserver.errors import NoSuchNetwork, PredefinedNetwork
from apiserver.http.app import group_app
from apiserver.http.query import filters
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.endpoints import docker_network_name
from apiserver.wire.docker.networks import network_json, select
from apiserver.wire.libpod import networks as libpod
from apiserver.wire.libpod.names import network_name


class NetworksGroup:
    """Networks: create, list, inspect, connect, disconnect, remove, prune.

    Args:
        wall_clock: whose `seconds()` is the time of day, for `until=10m`.
    """

    app = group_app()

    def __init__(self, networks: Networks, containers: Containers, wall_clock: IReactorTime) -> None:
        self._networks = networks
        self._containers = containers
        self._clock = wall_clock

    @app.route("/networks", methods=["GET"])
    def docker_list(self, request: Request) -> bytes:
        chosen = select(self._networks.all(), filters(request), self._containers.registry.all())
        return reply_json(request, [network_json(network, (), request.version) for network in chosen])

    @app.route("/networks/<name:name>", methods=["GET"])
    def docker_inspect(self, request: Request, name: str) -> bytes:
        network = self._networks.get(name)
        return reply_json(request, network_json(network, self._containers.registry.all(), request.version))

    @app.route("/networks/<name:name>", methods=["DELETE"])
    def docker_remove(self, request: Request, name: str) -> bytes:
        """There are no others than those that are always there."""
        raise PredefinedNetwork(docker_network_name(self._networks.get(name).name))

    @app.route("/libpod/networks/<name:name>", methods=["DELETE"])
    def libpod_remove(self, request: Request, name: str) -> bytes:
        """As above. Podman says it in a body for 200 that its own clients cannot read."""
        raise PredefinedNetwork(network_name(self._podmans(name).name))

    @app.route("/libpod/networks/json", methods=["GET"])
    def libpod_list(self, request: Request) -> bytes:
        containers = self._containers.registry.all()
        networks = [network for network in self._networks.all() if libpod.is_network(network)]
        chosen = libpod.select(networks, filters(request), containers, now(self._clock))
        return reply_json(request, [libpod.network_json(network) for network in chosen])

    @app.route("/libpod/networks/<name:name>/json", methods=["GET"])
    def libpod_inspect(self, request: Request, name: str) -> bytes:
        return self._libpod_inspect(request, name)

    @app.route("/libpod/networks/<name:name>", methods=["GET"])
    def libpod_inspect_in_short(self, request: Request, name: str) -> bytes:
        """The path of podman-py."""
        return self._libpod_inspect(request, name)

    def _libpod_inspect(self, request: Request, name: str) -> bytes:
        network = self._podmans(name)
        return reply_json(request, libpod.inspect_json(network, self._containers.registry.all()))

    @app.route("/libpod/networks/<name:name>/exists", methods=["GET"])
    def libpod_exists(self, request: Request, name: str) -> bytes:
        self._podmans(name)
        return reply_empty(request)

    def _podmans(self, name: str) -> Network:
        """Of those that are networks to Podman: `host` and `none` are modes there, as is `bridge`.

        Raises:
            NoSuchNetwork
        """
        network = self._networks.get(name)
        if not libpod.is_network(network) or name in libpod.MODES:
            raise NoSuchNetwork(name)
        return network
