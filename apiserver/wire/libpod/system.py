"""`/libpod/version` and `/libpod/info` (podman: libpod/define/info.go, pkg/api/handlers/compat/version.go)."""

from __future__ import annotations

from apiserver.engine.ports.host import HostFacts, HostFigures
from apiserver.engine.system import PODMAN_VERSION, Info
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.goarch import go_architecture
from apiserver.wire.gojson import EPOCH, go_time

MINIMUM_API = "4.0.0"
LOG_DRIVER = "k8s-file"
_CONMON, _NETAVARK, _DNS, _BUILDAH = "conmon", "netavark", "aardvark-dns", "buildah"
_UNKNOWN = "Unknown"
"""Podman's word for the package of a program that is from none."""


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
    """Podman's whole tree; what we do not have is at its zero, never left out."""
    return {
        "host": _host(info),
        "store": _store(info),
        "registries": {"search": list(info.figures.search_registries)} if info.figures.search_registries else {},
        "plugins": {
            "volume": ["local"],
            "network": ["bridge"],
            "log": [LOG_DRIVER, "none"],
            "authorization": None,
        },
        "version": _version(info.host),
    }


def _host(info: Info) -> JsonObject:
    host, figures = info.host, info.figures
    return {
        "arch": go_architecture(host.architecture),
        "buildahVersion": host.components.get(_BUILDAH, ""),
        "cgroupManager": host.cgroup_manager,
        "cgroupVersion": f"v{host.cgroup_version}",
        "cgroupControllers": list(host.controllers),
        "conmon": _program(info, _CONMON),
        "cpus": host.processors,
        "cpuUtilization": {
            "userPercent": round(figures.user_percent, 2),
            "systemPercent": round(figures.system_percent, 2),
            "idlePercent": round(figures.idle_percent, 2),
        },
        "databaseBackend": "sqlite",
        "distribution": _distribution(figures),
        "eventLogger": "file",
        "hostname": host.name,
        "idMappings": {"gidmap": None, "uidmap": None},
        "kernel": host.kernel,
        "logDriver": LOG_DRIVER,
        "memFree": figures.memory_free_bytes,
        "memTotal": host.memory_bytes,
        "networkBackend": _NETAVARK,
        "networkBackendInfo": _backend(info),
        "ociRuntime": _runtime(info),
        "os": "linux",
        "remoteSocket": {"path": next(iter(info.uris), ""), "exists": bool(info.uris)},
        "rootlessNetworkCmd": "",
        "serviceIsRemote": True,
        "security": {
            "apparmorEnabled": "apparmor" in host.security,
            "capabilities": ",".join(sorted(host.capabilities)),
            "rootless": False,
            "seccompEnabled": "seccomp" in host.security,
            "seccompProfilePath": host.seccomp_profile,
            "selinuxEnabled": False,
        },
        "pasta": {"executable": "", "package": "", "version": ""},
        "swapFree": figures.swap_free_bytes,
        "swapTotal": figures.swap_total_bytes,
        "uptime": _uptime(figures.uptime_seconds),
        "variant": "",
        "linkmode": "dynamic",  # as the Python that runs us is
    }


def _distribution(figures: HostFigures) -> JsonObject:
    release = figures.distribution
    shown: JsonObject = {"distribution": release.get("ID", ""), "version": release.get("VERSION_ID", "")}
    codename = release.get("VERSION_CODENAME", "")
    return shown | {"codename": codename} if codename else shown


def _uptime(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    said = f"{hours}h {minutes}m {rest:.2f}s"
    return f"{said} (Approximately {hours / 24:.2f} days)" if hours else said


def _backend(info: Info) -> JsonObject:
    dns = _program(info, _DNS, "{name} {version}")
    return {"backend": _NETAVARK, **_program(info, _NETAVARK, "{name} {version}"), "dns": dns}


def _runtime(info: Info) -> JsonObject:
    return {"name": info.host.default_runtime, **_program(info, info.host.default_runtime)}


def _program(info: Info, name: str, said: str = "{name} version {version}") -> JsonObject:
    """
    Args:
        said: how the program itself begins to say its version.
    """
    host = info.host
    path, version = host.programs.get(name) or host.runtimes.get(name, ""), host.components.get(name, "")
    return {
        "package": info.figures.packages.get(name, _UNKNOWN if path else ""),
        "path": path,
        "version": said.format(name=name, version=version) if version else "",
    }


def _store(info: Info) -> JsonObject:
    return {
        "configFile": info.host.storage_configuration,
        "containerStore": {
            "number": info.containers,
            "paused": info.paused,
            "running": info.running,
            "stopped": info.stopped,
        },
        "graphDriverName": info.host.storage_driver,
        "graphOptions": {},
        "graphRoot": info.host.storage or info.host.root,
        "graphRootAllocated": info.figures.storage_bytes,
        "graphRootUsed": info.figures.storage_used_bytes,
        "graphStatus": dict(sorted(info.figures.storage.items())),
        "imageCopyTmpDir": info.host.copies,
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
