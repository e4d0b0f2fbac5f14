"""A container in the shape of `GET /libpod/containers/{id}/json` (podman: libpod/define/container_inspect.go)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from apiserver.engine.containers.model import Container, State
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.options.network import HOST
from apiserver.engine.containers.signals import signal_name
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.networks import Network
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.gojson import ZERO_TIME, go_time
from apiserver.wire.libpod.annotations import shown_annotations
from apiserver.wire.libpod.host_config import host_config_json
from apiserver.wire.libpod.images import health_json
from apiserver.wire.libpod.listing import published
from apiserver.wire.libpod.names import network_name
from apiserver.wire.libpod.status import exit_code, pid, state_word

_HEALTH_LOG: JsonObject = {"HealthLogDestination": "local", "HealthcheckMaxLogCount": 5, "HealthcheckMaxLogSize": 500}
"""Podman's defaults, and all that a create takes."""
V5 = (5, 0, 0)
"""From here on `Entrypoint` is a list and `StopSignal` a name."""


class Surroundings(Struct, frozen=True):
    """What an inspection says of things around the container.

    Attributes:
        networks: by the engine's name.
        mountpoints: of the volumes, by name.
        exec_ids: the sessions that have not ended.
        unified: the host has cgroup v2 alone.
        facts: what the back end says of it.
        host_name: the host's, which a container may share.
        image: what it was made of; None where it was removed underneath.
    """

    networks: Mapping[str, Network] = field(default_factory=dict)
    mountpoints: Mapping[str, str] = field(default_factory=dict)
    storage_driver: str = "overlay"
    cgroup_manager: str = "cgroupfs"
    unified: bool = False
    host_name: str = ""
    exec_ids: tuple[str, ...] = ()
    facts: RunFacts = RunFacts()
    image: Image | None = None


def container_json(
    container: Container, around: Surroundings, version: tuple[int, ...], stop_signal: int
) -> JsonObject:
    """
    Args:
        stop_signal: its number, which is what versions before 5 show.
    """
    facts = around.facts
    path, *arguments = facts.arguments or container.options.process.argv or ("",)
    shown: JsonObject = {
        "Id": container.id,
        "Created": go_time(container.created),
        "Path": path,
        "Args": arguments,
        "State": _state(container, facts),
        "Image": container.image_id,
        "ImageDigest": around.image.manifest_digest if around.image is not None else "",
        "ImageName": container.image_name,
        "Rootfs": "",
        "Pod": "",
        "ResolvConfPath": facts.resolv_conf,
        "HostnamePath": facts.hostname_file,
        "HostsPath": facts.hosts_file,
        "StaticDir": facts.directory,
        "OCIRuntime": container.options.runtime or container.runtime,
        "ConmonPidFile": facts.monitor_pid_file,
        "PidFile": facts.pid_file,
        "Name": container.name,
        "RestartCount": container.restart_count,
        "Driver": around.storage_driver,
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": facts.apparmor,
        "EffectiveCaps": sorted(facts.effective) or None,
        "BoundingCaps": sorted(facts.bounding) or None,
        "ExecIDs": list(around.exec_ids),
        "GraphDriver": {"Name": around.storage_driver, "Data": _layers(container, around)},
        "Mounts": [
            _mount(mount, around.mountpoints)
            for mount in container.options.mounts.mounts
            if mount.kind is not MountKind.TMPFS  # those are in HostConfig.Tmpfs alone
        ],
        "Dependencies": [],
        "NetworkSettings": _network_settings(container, around),
        "Namespace": "",
        "IsInfra": False,
        "IsService": False,
        "KubeExitCodePropagation": "invalid",
        "lockNumber": 0,
        "Config": _config(container, around.host_name, version, stop_signal),
        "HostConfig": host_config_json(container, around.cgroup_manager, facts.log, version, unified=around.unified),
        "UseImageHosts": "/etc/hosts" in container.options.network.image_files,
        "UseImageHostname": "/etc/hostname" in container.options.network.image_files,
    }
    if facts.configuration:
        shown["OCIConfigPath"] = facts.configuration
    return shown


def _layers(container: Container, around: Surroundings) -> JsonObject:
    facts = around.facts
    shown: JsonObject = {"UpperDir": facts.upper, "WorkDir": facts.work} if facts.upper else {}
    if around.image is not None and around.image.directories:
        shown["LowerDir"] = ":".join(around.image.directories)
    if facts.merged and container.run is not None and container.run.plan:
        shown["MergedDir"] = facts.merged  # only while it is mounted
    return shown


def _state(container: Container, facts: RunFacts) -> JsonObject:
    run = container.run
    state: JsonObject = {
        "OciVersion": facts.oci_version,
        "Status": state_word(container),
        "Running": container.state in (State.RUNNING, State.STOPPING),
        "Paused": container.state is State.PAUSED,
        "Restarting": False,
        "OOMKilled": run is not None and run.oom_killed,
        "Dead": False,
        "Pid": pid(container),
        "ExitCode": exit_code(container),
        "Error": run.error if run is not None else "",
        "StartedAt": go_time(run.started if run is not None else None),
        "FinishedAt": go_time(run.finished if run is not None else None),
        "CheckpointedAt": ZERO_TIME,
        "RestoredAt": ZERO_TIME,
    }
    if container.alive:
        state |= {"CgroupPath": facts.cgroup}
        if facts.monitor_pid is not None:
            state["ConmonPid"] = facts.monitor_pid
    if container.stopped_by_user:
        state["StoppedByUser"] = True
    return state


def _config(container: Container, host_name: str, version: tuple[int, ...], stop_signal: int) -> JsonObject:
    options = container.options
    process, identity = options.process, options.identity
    config: JsonObject = {
        "Hostname": options.hostname(container.id, host_name),
        "Domainname": identity.domainname,
        "User": process.user,
        # Podman never fills these in.
        **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"), False),
        "Tty": process.terminal,
        "OpenStdin": process.stdin_open,
        "Env": list(process.env),
        "Cmd": list(process.command or ()) or None,
        "Image": container.image_name,
        "Volumes": None,
        "WorkingDir": process.working_dir or "/",
        "Entrypoint": list(process.entrypoint or ()) or None,
        "OnBuild": None,
        "Labels": dict(sorted(identity.labels.items())),
        "Annotations": shown_annotations(container),
        "StopSignal": signal_name(stop_signal),
        "HealthcheckOnFailureAction": "none",
        **_HEALTH_LOG,
        "Umask": f"{process.umask:04o}",
        "Timeout": options.lifecycle.timeout,
        "StopTimeout": int(10 if process.stop_timeout is None else max(process.stop_timeout, 0)),
        "Passwd": process.adds_accounts,
    }
    if version < V5:
        config |= {"Entrypoint": " ".join(process.entrypoint or ()), "StopSignal": stop_signal}
    if process.timezone:
        config["Timezone"] = process.timezone
    if options.lifecycle.notify_mode:
        config["sdNotifyMode"] = options.lifecycle.notify_mode
    if identity.create_command:
        config["CreateCommand"] = list(identity.create_command)
    if options.lifecycle.health is not None:
        config["Healthcheck"] = health_json(options.lifecycle.health)
    if options.network.exposed:
        config["ExposedPorts"] = {port: {} for port in sorted(options.network.exposed)}
    return config


def _mount(mount: Mount, mountpoints: Mapping[str, str]) -> JsonObject:
    shown: JsonObject = {"Type": mount.kind.value}
    if mount.kind is MountKind.VOLUME:
        shown |= {"Name": mount.source, "Source": mountpoints.get(mount.source, ""), "Driver": "local"}
    else:
        shown |= {"Source": mount.source, "Driver": ""}
    return shown | {
        "Destination": mount.target,
        "Mode": "",
        "Options": [*mount.flags, "rbind" if mount.recursive else "bind"],
        "RW": not mount.read_only,
        "Propagation": mount.propagation or "rprivate",
    }


def _network_settings(container: Container, around: Surroundings) -> JsonObject:
    options = container.options.network
    bound: dict[str, list[JsonObject]] = {}
    for port in published(container):
        key = f"{port.container_port}/{port.transport}"
        bound.setdefault(key, []).append({"HostIp": port.host_ip, "HostPort": str(port.host_port)})
    settings = _addresses(container) | {
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": {} if options.mode == HOST else {**dict.fromkeys(options.exposed), **bound},
        "SandboxKey": container.network_namespace,
    }
    if options.bridged:
        network = around.networks.get(options.mode)
        settings["Networks"] = {
            network_name(options.mode): _addresses(container)
            | {
                "NetworkID": network.id if network else "",
                "DriverOpts": None,
                "IPAMConfig": None,
                "Links": None,
                "Aliases": _aliases(container),
            }
        }
    else:
        nothing: JsonObject = {"NetworkID": options.mode, "DriverOpts": None, "IPAMConfig": None, "Links": None}
        settings["Networks"] = {options.mode: _addresses(container) | nothing}
    return settings


def _aliases(container: Container) -> list[JsonValue]:
    """The host name is one where the client says it."""
    hostname = container.options.identity.hostname
    return [*container.options.network.aliases, container.id[:12], *([hostname] if hostname else [])]


def _addresses(container: Container) -> JsonObject:
    run = container.run if container.alive else None
    endpoint = next(iter(run.endpoints), None) if run is not None else None
    return {
        "EndpointID": "",
        "Gateway": str(endpoint.gateway) if endpoint and endpoint.gateway else "",
        "IPAddress": str(endpoint.address) if endpoint else "",
        "IPPrefixLen": endpoint.prefix_length if endpoint else 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": endpoint.mac if endpoint else container.options.network.mac_address,
    }
