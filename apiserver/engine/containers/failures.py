"""The kinds of failure of containers, in the words that clients know."""

from __future__ import annotations

from apiserver.engine.containers.model import Container, State
from apiserver.errors import Conflict


class ContainerNotRunning(Conflict):
    cause = "container state improper"
    docker = "{subject}"
    libpod = "{subject}: {cause}"


class ContainerPaused(Conflict):
    cause = "container state improper"
    docker = "{subject}"
    libpod = "{subject}: {cause}"


class ContainerRunning(Conflict):
    """It would have to be stopped first."""

    cause = "container state improper"
    docker = "{subject}"
    libpod = "{subject}: {cause}"


class StartOfPaused(Conflict):
    cause = "container state improper"
    docker = "{subject}"
    libpod = "{subject}: {cause}"


class MarkedForRemoval(Conflict):
    cause = "container is being removed"
    docker = "{subject}"
    libpod = "{subject}: {cause}"


class ExecStarted(Conflict):
    """An exec session runs once."""

    cause = "exec session state improper"
    docker = "{subject}"
    libpod = "{subject}: {cause}"


def not_running(container: Container) -> ContainerNotRunning:
    return ContainerNotRunning(f"container {container.id} is not running")


def cannot_kill(container: Container) -> ContainerNotRunning:
    state = "created" if container.state is State.CONFIGURED else container.state.value
    return ContainerNotRunning(
        f"can only kill running containers. {container.id} is in state {state}",
        f"container {container.id} is not running",
    )


def cannot_exec(container: Container) -> ContainerNotRunning:
    return ContainerNotRunning(
        "can only create exec sessions on running containers", f"container {container.id} is not running"
    )


def paused(container: Container, what: str) -> ContainerPaused:
    return ContainerPaused(f"container {container.name} is paused, unpause the container before {what}")


def running(container: Container) -> ContainerRunning:
    return ContainerRunning(
        f"cannot remove container {container.id} as it is {container.state.value} -"
        " running or paused containers cannot be removed without force",
        f'cannot remove container "/{container.name}": container is running:'
        " stop the container before removing or force remove",
    )
