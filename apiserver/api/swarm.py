"""Docker's swarm, of which this service is never a part."""

from __future__ import annotations

from apiserver.errors import NotASwarmManager
from apiserver.http.app import group_app
from apiserver.http.request import Request


class SwarmGroup:
    """Swarm, nodes, services, tasks, configs, and what is below secrets and not a secret: always 503."""

    app = group_app()

    @app.route("/swarm", methods=["GET"], endpoint="docker_swarm")
    @app.route("/nodes", methods=["GET"], endpoint="docker_nodes")
    @app.route("/services", methods=["GET"], endpoint="docker_services")
    @app.route("/tasks", methods=["GET"], endpoint="docker_tasks")
    @app.route("/configs", methods=["GET"], endpoint="docker_configs")
    @app.route("/swarm/", methods=["*"], prefix=True, endpoint="docker_below_swarm")
    @app.route("/nodes/", methods=["*"], prefix=True, endpoint="docker_below_nodes")
    @app.route("/services/", methods=["*"], prefix=True, endpoint="docker_below_services")
    @app.route("/tasks/", methods=["*"], prefix=True, endpoint="docker_below_tasks")
    @app.route("/configs/", methods=["*"], prefix=True, endpoint="docker_below_configs")
    @app.route("/secrets/", methods=["*"], prefix=True, endpoint="docker_below_secrets")
    def docker_no_swarm(self, request: Request) -> bytes:
        raise NotASwarmManager(request.path.decode("ascii", "replace"))
