"""`/version` and `/info` in Docker's shapes."""

from __future__ import annotations

import hashlib
import platform

from apiserver.engine.ports.host import HostFacts
from apiserver.engine.system import DOCKER_VERSION, PODMAN_VERSION, Info
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.docker.options.logging import DEFAULT_DRIVER
from apiserver.wire.docker.versions import V1_44, V1_50, Version
from apiserver.wire.goarch import go_architecture
from apiserver.wire.gojson import go_time


def version_json(host: HostFacts, own_version: str, api_version: str, min_api_version: str) -> JsonObject:
    """Plain digits of a Docker and a Podman; who we are stands in `Components` alone.

    Args:
        api_version: the one that we announce, `1.NN`.
    """
    architecture = go_architecture(host.architecture)
    engine: JsonObject = {
        "ApiVersion": api_version,
        "Arch": architecture,
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": "",
        "KernelVersion": host.kernel,
        "MinAPIVersion": min_api_version,
        "Os": "linux",
    }
    podman: JsonObject = {"APIVersion": PODMAN_VERSION, "Arch": architecture, "MinAPIVersion": "4.0.0", "Os": "linux"}
    own: JsonObject = {"Python": platform.python_version(), "Arch": architecture, "Os": "linux"}
    components: list[JsonValue] = [
        {"Name": "Engine", "Version": DOCKER_VERSION, "Details": engine},
        {"Name": "Podman Engine", "Version": PODMAN_VERSION, "Details": podman},
        {"Name": "apiserver", "Version": own_version, "Details": own},
    ]
    components += [{"Name": name, "Version": version, "Details": {}} for name, version in host.components.items()]
    return {
        "Platform": {"Name": ""},
        "Components": components,
        "Version": DOCKER_VERSION,
        "ApiVersion": api_version,
        "MinAPIVersion": min_api_version,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": architecture,
        "KernelVersion": host.kernel,
        "BuildTime": "",
    }


def info_json(info: Info, version: Version) -> JsonObject:
    """All that clients of this version print or decide by; what we do not have is at its zero."""
    host = info.host
    shown = _identity(info) | _counts(info) | _limits(host) | _runtimes(info) | _network(info)
    if version < V1_44:
        shown |= {"KernelMemory": False, "KernelMemoryTCP": False}
    if version < V1_50:
        shown |= {
            "BridgeNfIptables": info.figures.bridges_filter_ipv4,
            "BridgeNfIp6tables": info.figures.bridges_filter_ipv6,
        }
    return shown


def _identity(info: Info) -> JsonObject:
    host = info.host
    return {
        "ID": hashlib.sha256(f"{host.name} {host.root}".encode()).hexdigest()[:36],
        "Name": host.name,
        "ServerVersion": DOCKER_VERSION,
        "KernelVersion": host.kernel,
        "OperatingSystem": host.operating_system,
        "OSVersion": info.figures.distribution.get("VERSION_ID", ""),
        "OSType": "linux",
        "Architecture": host.architecture,
        "NCPU": host.processors,
        "MemTotal": host.memory_bytes,
        "DockerRootDir": host.root,
        "Labels": [],
        "ExperimentalBuild": False,
        "Debug": False,
        "SystemTime": go_time(info.now),
        "ProductLicense": "",
        "Isolation": "",
        "GenericResources": None,
        "LiveRestoreEnabled": True,
        "Warnings": list(host.warnings) or None,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
    }


def _counts(info: Info) -> JsonObject:
    return {
        "Containers": info.containers,
        "ContainersRunning": info.running,
        "ContainersPaused": info.paused,
        "ContainersStopped": info.stopped,
        "Images": info.images,
        "NFd": info.figures.open_descriptors,
        "NGoroutines": 0,
        "NEventsListener": info.event_listeners,
    }


def _limits(host: HostFacts) -> JsonObject:
    return {
        "MemoryLimit": "memory" in host.limits,
        "SwapLimit": "swap" in host.limits,
        "CpuCfsPeriod": "cpu" in host.limits,
        "CpuCfsQuota": "cpu" in host.limits,
        "CPUShares": "cpu" in host.limits,
        "CPUSet": "cpuset" in host.limits,
        "PidsLimit": "pids" in host.limits,
        "OomKillDisable": "memory" in host.limits and host.cgroup_version == "1",
        "CgroupDriver": host.cgroup_manager,
        "CgroupVersion": host.cgroup_version,
        "SecurityOptions": [_security_option(name) for name in host.security],
    }


def _security_option(name: str) -> str:
    return "name=seccomp,profile=builtin" if name == "seccomp" else f"name={name}"


def _runtimes(info: Info) -> JsonObject:
    host = info.host
    commit: JsonObject = {"ID": "", "Expected": ""}
    return {
        "Driver": host.storage_driver,
        "DriverStatus": [[name, value] for name, value in sorted(info.figures.storage.items())],
        "Runtimes": {name: {"path": path} for name, path in host.runtimes.items()},
        "DefaultRuntime": host.default_runtime,
        "InitBinary": "catatonit",
        "ContainerdCommit": commit,
        "RuncCommit": commit,
        "InitCommit": commit,
        "LoggingDriver": DEFAULT_DRIVER,
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "null"],
            "Authorization": None,
            "Log": [DEFAULT_DRIVER, "local", "none"],
        },
        "CDISpecDirs": [],
    }


def _network(info: Info) -> JsonObject:
    docker_hub: JsonObject = {"Name": "docker.io", "Mirrors": [], "Secure": True, "Official": True}
    return {
        "IPv4Forwarding": info.figures.forwards_ipv4,
        "Swarm": {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "inactive",
            "ControlAvailable": False,
            "Error": "",
            "RemoteManagers": None,
        },
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["127.0.0.0/8"],
            "IndexConfigs": {"docker.io": docker_hub},
            "Mirrors": [],
        },
    }
