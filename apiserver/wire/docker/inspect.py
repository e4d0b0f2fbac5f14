"""A container in the shape of `GET /containers/{id}/json`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from msgspec import Struct, field

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.networks import Network
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.docker.endpoints import endpoint_id, endpoint_of, networks_json, published
from apiserver.wire.docker.mount_points import mount_points
from apiserver.wire.docker.options.devices import show_devices
from apiserver.wire.docker.options.lifecycle import show_health, show_restart
from apiserver.wire.docker.options.limits import show_limits
from apiserver.wire.docker.options.logging import show_logging
from apiserver.wire.docker.options.mount_objects import show_mount
from apiserver.wire.docker.options.namespaces import show_namespaces
from apiserver.wire.docker.options.network import show_mode
from apiserver.wire.docker.options.ports import show_bindings, show_published
from apiserver.wire.docker.options.process import show_process
from apiserver.wire.docker.options.security import show_masked_paths, show_read_only_paths, show_security_opt
from apiserver.wire.docker.status import state_json
from apiserver.wire.docker.versions import V1_44, V1_52, Version
from apiserver.wire.gojson import go_time, null_if_empty, sorted_map


class Surroundings(Struct, frozen=True):
    """What an inspection says of things around the container.

    Attributes:
        networks: by the engine's name.
        mountpoints: of the volumes, by name.
        unified: the host has cgroup v2 alone.
        host_name: the host's, which a container may share.
        exec_ids: the sessions that have not ended.
        facts: what the back end says of it.
        lower: directories of its image's layers, the nearest first.
    """

    networks: Mapping[str, Network] = field(default_factory=dict)
    mountpoints: Mapping[str, str] = field(default_factory=dict)
    storage_driver: str = "overlay2"
    unified: bool = False
    host_name: str = ""
    exec_ids: tuple[str, ...] = ()
    facts: RunFacts = RunFacts()
    lower: tuple[str, ...] = ()


def container_json(container: Container, around: Surroundings, version: Version) -> JsonObject:
    path, *arguments = container.options.process.argv or ("",)
    return {
        "Id": container.id,
        "Created": go_time(container.created),
        "Path": path,
        "Args": arguments,
        "State": state_json(container),
        "Image": f"sha256:{container.image_id}",
        "ResolvConfPath": around.facts.resolv_conf,
        "HostnamePath": around.facts.hostname_file,
        "HostsPath": around.facts.hosts_file,
        "LogPath": around.facts.log if container.run is not None else "",
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": around.storage_driver,
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": around.facts.apparmor,
        "ExecIDs": null_if_empty(around.exec_ids),
        "HostConfig": _host_config(container, unified=around.unified),
        "GraphDriver": {"Data": _layers(around), "Name": around.storage_driver},
        "Mounts": mount_points(container, around.mountpoints),
        "Config": _config(container, around.host_name, version),
        "NetworkSettings": _network_settings(container, around, version),
    }


def _layers(around: Surroundings) -> JsonObject | None:
    facts = around.facts
    if not facts.upper:
        return None
    return {
        "LowerDir": ":".join(around.lower),
        "MergedDir": facts.merged,
        "UpperDir": facts.upper,
        "WorkDir": facts.work,
    }


def _config(container: Container, host_name: str, version: Version) -> JsonObject:
    options = container.options
    config: JsonObject = {
        "Hostname": options.hostname(container.id, host_name),
        "Domainname": options.identity.domainname,
        "Image": container.image_name,
        "Volumes": {mount.target: {} for mount in options.mounts.mounts if _is_anonymous(mount) and not mount.inherited}
        or None,
        "OnBuild": None,
        "Labels": sorted_map(options.identity.labels),
    }
    config |= show_process(options.process)
    if options.network.exposed:
        config["ExposedPorts"] = {port: {} for port in sorted(options.network.exposed)}
    if options.lifecycle.health is not None:
        config["Healthcheck"] = show_health(options.lifecycle.health)
    if version < V1_44 and options.network.mac_address:
        config["MacAddress"] = options.network.mac_address
    return config


def _host_config(container: Container, *, unified: bool) -> JsonObject:
    options = container.options
    security, mounts = options.security, options.mounts.mounts
    config: JsonObject = {
        "Binds": null_if_empty([mount.asked_as for mount in mounts if mount.asked_as and not _is_tmpfs(mount)]),
        "ContainerIDFile": "",
        "LogConfig": show_logging(options.logging),
        "NetworkMode": show_mode(options.network),
        "PortBindings": show_bindings(options.network.ports),
        "RestartPolicy": show_restart(options.lifecycle.restart),
        "AutoRemove": options.lifecycle.auto_remove,
        "VolumeDriver": "",
        "VolumesFrom": null_if_empty(options.mounts.volumes_from),
        "ConsoleSize": list(options.process.console_size or (0, 0)),
        "CapAdd": null_if_empty(security.cap_add),
        "CapDrop": null_if_empty(security.cap_drop),
        "Dns": list(options.network.dns_servers),
        "DnsOptions": list(options.network.dns_options),
        "DnsSearch": list(options.network.dns_search),
        "ExtraHosts": null_if_empty(options.network.extra_hosts),
        "GroupAdd": null_if_empty(security.supplementary_groups),
        "Cgroup": "",
        "Links": None,
        "Privileged": security.privileged,
        "PublishAllPorts": options.network.publish_all,
        "ReadonlyRootfs": options.mounts.read_only_rootfs,
        "SecurityOpt": show_security_opt(security),
        "ShmSize": options.mounts.shm_size_bytes,
        "Runtime": options.runtime or container.runtime,
        "Isolation": "",
        "MaskedPaths": show_masked_paths(security),
        "ReadonlyPaths": show_read_only_paths(security),
    }
    config |= show_namespaces(options.namespaces, unified=unified)
    config |= show_limits(options.limits)
    config |= show_devices(options.devices)
    tmpfs = _tmpfs(mounts)
    if tmpfs:
        config["Tmpfs"] = tmpfs
    own = [mount for mount in mounts if not mount.asked_as and not mount.inherited]
    objects = [show_mount(mount) for mount in own if not _is_anonymous(mount)]
    if objects:
        config["Mounts"] = objects
    if options.identity.annotations:
        config["Annotations"] = sorted_map(options.identity.annotations)
    if options.sysctls:
        config["Sysctls"] = sorted_map(options.sysctls)
    if options.lifecycle.init:
        config["Init"] = True
    return config


def _is_tmpfs(mount: Mount) -> bool:
    return mount.kind is MountKind.TMPFS


def _is_anonymous(mount: Mount) -> bool:
    return mount.kind is MountKind.VOLUME and mount.anonymous


def _tmpfs(mounts: tuple[Mount, ...]) -> JsonObject:
    """`HostConfig.Tmpfs`; `asked_as` is the path, a colon and the options."""
    asked = [mount.asked_as.partition(":") for mount in mounts if _is_tmpfs(mount) and mount.asked_as]
    return {path: options for path, _, options in asked}


def _network_settings(container: Container, around: Surroundings, version: Version) -> JsonObject:
    options = container.options.network
    there = container.alive and options.bridged
    ports: JsonObject = show_published(published(container), options.exposed) if there else {}
    networks = networks_json(container, around.networks, version)
    sandbox = container.network_namespace
    settings: JsonObject = {
        # Docker draws an id for each: to clients it is a word that is new with each start.
        "SandboxID": hashlib.sha256(sandbox.encode()).hexdigest() if sandbox else "",
        "SandboxKey": sandbox,
        "Ports": ports,
        "Networks": networks,
    }
    if version >= V1_52:
        return settings
    endpoint, network = endpoint_of(container, options.mode), around.networks.get(options.mode)
    flat: dict[str, JsonValue] = {
        "Bridge": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": endpoint_id(container, network) if endpoint and network else "",
        "Gateway": str(endpoint.gateway) if endpoint and endpoint.gateway else "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": str(endpoint.address) if endpoint else "",
        "IPPrefixLen": endpoint.prefix_length if endpoint else 0,
        "IPv6Gateway": "",
        "MacAddress": endpoint.mac if endpoint else options.mac_address,
    }
    return settings | flat
