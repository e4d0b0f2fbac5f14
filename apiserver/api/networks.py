"""Networks: create, list, inspect, connect, disconnect, remove, prune."""

from __future__ import annotations

from apiserver.engine.containers.services import Containers
from apiserver.engine.networks.service import Networks
from apiserver.http.app import group_app
from apiserver.http.query import filters
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.networks import network_json, select


class NetworksGroup:
    """Networks: create, list, inspect, connect, disconnect, remove, prune."""

    app = group_app()

    def __init__(self, networks: Networks, containers: Containers) -> None:
        self._networks = networks
        self._containers = containers

    @app.route("/networks", methods=["GET"])
    def docker_list(self, request: Request) -> bytes:
        chosen = select(self._networks.all(), filters(request), self._containers.registry.all())
        return reply_json(request, [network_json(network, (), request.version) for network in chosen])

    @app.route("/networks/<name:name>", methods=["GET"])
    def docker_inspect(self, request: Request, name: str) -> bytes:
        network = self._networks.get(name)
        return reply_json(request, network_json(network, self._containers.registry.all(), request.version))
