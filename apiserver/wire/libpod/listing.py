"""A container in the shape of a listing (podman: pkg/domain/entities/types/container_ps.go)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from apiserver.engine.containers.model import Container
from apiserver.engine.ports.publish import PublishedPort
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.gojson import go_time, sorted_map, unix_seconds
from apiserver.wire.libpod.names import network_name
from apiserver.wire.libpod.status import exit_code, pid, state_word

_NAMESPACES: Final = {
    "cgroup": "Cgroup",
    "ipc": "Ipc",
    "mnt": "Mnt",
    "net": "Net",
    "pid": "Pidns",
    "user": "User",
    "uts": "Uts",
}
_NEVER: Final = -62135596800
"""Go's zero time in Unix seconds."""


def summary_json(container: Container) -> JsonObject:
    """One entry; sizes and namespaces are not looked up, which Podman shows in the same way."""
    options, run = container.options, container.run
    # A start that failed is no run that has ended.
    ended = run is not None and run.ended and run.started is not None
    return {
        "AutoRemove": options.lifecycle.auto_remove,
        "Command": list(options.process.command or ()) or None,
        "Created": go_time(container.created),
        "CreatedAt": "",
        "CIDFile": "",
        "Exited": ended,
        "ExitedAt": _seconds(run.finished if run else None),
        "ExitCode": exit_code(container),
        "ExposedPorts": _exposed(options.network.exposed) or None,
        "Id": container.id,
        "Image": container.image_name,
        "ImageID": container.image_id,
        "IsInfra": False,
        "Labels": sorted_map(options.identity.labels) or None,
        "Mounts": sorted(mount.target for mount in options.mounts.mounts),
        "Names": [container.name],
        "Namespaces": {},
        "Networks": [network_name(options.network.mode)] if options.network.bridged else [],
        "Pid": pid(container),
        "Pod": "",
        "PodName": "",
        "Ports": list(_ports(published(container))) or None,
        "Restarts": container.restart_count,
        "Size": None,
        "StartedAt": _seconds(run.started if run else None),
        "State": state_word(container),
        "Status": "",
    }


def namespaces_json(numbers: Mapping[str, int]) -> JsonObject:
    """What a listing adds where namespaces are asked for; nothing of one that has no process."""
    return {"Namespaces": {word: str(numbers[kind]) for kind, word in _NAMESPACES.items() if kind in numbers}}


def published(container: Container) -> tuple[PublishedPort, ...]:
    """The host ports of a running container, and of another those that it will have whenever it starts."""
    run, network = container.run, container.options.network
    if container.alive and run is not None and run.network is not None:
        return run.network.ports
    return tuple(
        PublishedPort(port.container_port, port.transport, port.host_ip or "0.0.0.0", port.host_port_first)  # noqa: S104
        for port in network.ports
        if network.bridged and port.host_port_first and port.host_port_first == port.host_port_last
    )


def _seconds(moment: datetime | None) -> int:
    return _NEVER if moment is None else unix_seconds(moment)


def _ports(ports: Iterable[PublishedPort]) -> Iterator[JsonObject]:
    """By address and protocol, with consecutive ones as one range (podman: pkg/specgen/generate/ports.go)."""
    mapped = sorted((str(port.transport), port.host_ip, port.host_port, port.container_port) for port in ports)
    length = 1
    for number, (transport, host_ip, host_port, container_port) in enumerate(mapped, 1):
        if mapped[number : number + 1] == [(transport, host_ip, host_port + 1, container_port + 1)]:
            length += 1
            continue
        yield {
            "host_ip": "" if host_ip in ("0.0.0.0", "::") else host_ip,  # noqa: S104  # it is shown, not bound
            "container_port": container_port - length + 1,
            "host_port": host_port - length + 1,
            "range": length,
            "protocol": transport,
        }
        length = 1


def _exposed(ports: Sequence[str]) -> JsonObject:
    shown: dict[str, list[JsonValue]] = {}
    for port in sorted(ports):
        number, _, transport = port.partition("/")
        shown.setdefault(number, []).append(transport)
    return dict(shown)
