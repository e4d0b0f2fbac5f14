"""Containers, networks and images to show: made of nothing, for tests of shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from msgspec.structs import replace

from apiserver.engine.containers.model import Container, Run, State
from apiserver.engine.containers.options import ContainerOptions, Process
from apiserver.engine.ports.networks import Endpoint, Network, NetworkPlan
from apiserver.engine.ports.publish import PublishedPort

CREATED = datetime(2026, 11, 24, 11, 0, 0, 123456, tzinfo=UTC)
STARTED = CREATED + timedelta(seconds=10)
FINISHED = CREATED + timedelta(minutes=5)

BRIDGE = Network(
    id="b" * 64,
    name="apiserver",
    driver="bridge",
    created=CREATED,
    interface="apiserver0",
    subnet=IPv4Network("10.89.0.0/16"),
    gateway=IPv4Address("10.89.0.1"),
)
HOST = Network(id="a" * 64, name="host", driver="host", created=CREATED)
NONE = Network(id="0" * 64, name="none", driver="none", created=CREATED)
NETWORKS = {network.name: network for network in (BRIDGE, HOST, NONE)}

ENDPOINT = Endpoint(
    network="apiserver",
    interface="eth0",
    address=IPv4Address("10.89.0.2"),
    prefix_length=16,
    gateway=IPv4Address("10.89.0.1"),
    mac="02:42:0a:59:00:02",
)


def container(**changes: Any) -> Container:
    """One that was created and never started."""
    plain = Container(
        id="c" * 64,
        name="web",
        created=CREATED,
        image_id="d" * 64,
        image_name="bb:t",
        options=ContainerOptions(process=Process(command=("sleep", "100"), env=("A=b",), working_dir="/")),
        runtime="crun",
    )
    return replace(plain, **changes)


def running(*ports: PublishedPort, **changes: Any) -> Container:
    """One on the default bridge that runs."""
    plan = NetworkPlan("c" * 64, "web", 1, (), ports=ports)
    run = Run(number=1, network=plan, endpoints=(ENDPOINT,), started=STARTED, pid=4711)
    return container(state=State.RUNNING, run=run, **changes)


def exited(code: int | None, **changes: Any) -> Container:
    run = Run(number=1, started=STARTED, finished=FINISHED, exit_code=code, ended=True)
    return container(state=State.EXITED, run=run, **changes)
