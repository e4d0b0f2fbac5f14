"""`/libpod/version` and `/libpod/info` (podman: libpod/define/info.go, pkg/api/handlers/compat/version.go)."""

from __future__ import annotations

from apiserver.engine.ports.host import HostFacts
from apiserver.engine.system import PODMAN_VERSION, Info
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.goarch import go_architecture
from apiserver.wire.gojson import EPOCH, go_time

MINIMUM_API = "4.0.0"
LOG_DRIVER = "k8s-file"
_CONMON, _NETAVARK, _DNS, _BUILDAH = "conmon", "netavark", "aardvark-dns", "buildah"


def version_json(host: HostFacts, own_version: str, api_version: str, min_api_version: str) -> JsonObject:
    """What `podman version` calls the server; who we are stands in `Components` alone.

    Args:
        api_version: Docker's, as it is in Podman's own answer; the libpod one is a detail of the engine.
    """
    architecture, built = go_architecture(host.architecture), go_time(EPOCH)
    engine: JsonObject = {
        "APIVersion": PODMAN_VERSION,
        "Arch": architecture,
        "BuildTime": built,
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": "",
        "KernelVersion": host.kernel,
        "MinAPIVersion": MINIMUM_API,
        "Os": "linux",
    }
    components: list[JsonValue] = [
        {"Name": "Podman Engine", "Version": PODMAN_VERSION, "Details": engine},
        {"Name": "apiserver", "Version": own_version, "Details": {"Arch": architecture, "Os": "linux"}},
    ]
    components += [{"Name": name, "Version": version, "Details": {}} for name, version in host.components.items()]
    return {
        "Platform": {"Name": f"linux/{architecture}"},
        "Components": components,
        "Version": PODMAN_VERSION,
        "ApiVersion": api_version,
        "MinAPIVersion": min_api_version,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": architecture,
        "KernelVersion": host.kernel,
        "BuildTime": built,
    }


def info_json(info: Info) -> JsonObject:
    """Podman's whole tree; what we have not measured is at its zero, never left out."""
    return {
        "host": _host(info),
        "store": _store(info),
        "registries": {},
        "plugins": {
            "volume": ["local"],
            "network": ["bridge"],
            "log": [LOG_DRIVER, "none"],
            "authorization": None,
        },
        "version": _version(info.host),
    }


def _host(info: Info) -> JsonObject:
    host = info.host
    name, _, version = host.operating_system.partition(" ")
    return {
        "arch": go_architecture(host.architecture),
        "buildahVersion": host.components.get(_BUILDAH, ""),
        "cgroupManager": host.cgroup_manager,
        "cgroupVersion": f"v{host.cgroup_version}",
        "cgroupControllers": sorted(host.limits - {"swap"}),
        "conmon": _program(host, _CONMON, ""),
        "cpus": host.processors,
        "cpuUtilization": {"userPercent": 0, "systemPercent": 0, "idlePercent": 0},
        "databaseBackend": "sqlite",
        "distribution": {"distribution": name.lower(), "version": version},
        "eventLogger": "file",
        "hostname": host.name,
        "idMappings": {"gidmap": None, "uidmap": None},
        "kernel": host.kernel,
        "logDriver": LOG_DRIVER,
        "memFree": 0,
        "memTotal": host.memory_bytes,
        "networkBackend": _NETAVARK,
        "networkBackendInfo": _backend(host),
        "ociRuntime": _runtime(host),
        "os": "linux",
        "remoteSocket": {"path": next(iter(info.uris), ""), "exists": bool(info.uris)},
        "rootlessNetworkCmd": "",
        "serviceIsRemote": True,
        "security": {
            "apparmorEnabled": "apparmor" in host.security,
            "capabilities": "",
            "rootless": False,
            "seccompEnabled": "seccomp" in host.security,
            "seccompProfilePath": "",
            "selinuxEnabled": False,
        },
        "pasta": {"executable": "", "package": "", "version": ""},
        "swapFree": 0,
        "swapTotal": 0,
        "uptime": "",
        "variant": "",
        "linkmode": "",
    }


def _backend(host: HostFacts) -> JsonObject:
    names: JsonObject = {"backend": _NETAVARK, "dns": {"version": host.components.get(_DNS, "")}}
    return names | _program(host, _NETAVARK, "")


def _runtime(host: HostFacts) -> JsonObject:
    name = host.default_runtime
    return {"name": name, **_program(host, name, host.runtimes.get(name, ""))}


def _program(host: HostFacts, name: str, path: str) -> JsonObject:
    return {"package": "", "path": path, "version": host.components.get(name, "")}


def _store(info: Info) -> JsonObject:
    return {
        "configFile": "",
        "containerStore": {
            "number": info.containers,
            "paused": info.paused,
            "running": info.running,
            "stopped": info.stopped,
        },
        "graphDriverName": info.host.storage_driver,
        "graphOptions": {},
        "graphRoot": info.host.root,
        "graphRootAllocated": 0,
        "graphRootUsed": 0,
        "graphStatus": {},
        "imageCopyTmpDir": "",
        "imageStore": {"number": info.images},
        "runRoot": info.host.runroot,
        "volumePath": info.host.volumes,
        "transientStore": False,
    }


def _version(host: HostFacts) -> JsonObject:
    return {
        "APIVersion": PODMAN_VERSION,
        "Version": PODMAN_VERSION,
        "GoVersion": "",
        "GitCommit": "",
        "BuiltTime": "Thu Jan  1 00:00:00 1970",
        "Built": 0,
        "OsArch": f"linux/{go_architecture(host.architecture)}",
        "Os": "linux",
    }
