"""Placeholders for what has to differ from one server, machine or moment to the next; they keep type and format."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.answers.story import Answers
from tests.support.image_archive import CREATED

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_ZERO_TIME = "0001-01-01T00:00:00Z"
_MAC = re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b")
_ADDRESS = re.compile(r"\b(?:10|172)\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
_HEX = re.compile(r"\b[0-9a-f]{64}\b")
_LINK = re.compile(r"\b[A-Z0-9]{26}\b")
_RUNTIME = re.compile(r"\b(crun|runc)\b")
_TEMPORARY = re.compile(r"/var/tmp/api_load\.tar\d+")
"""Podman's own file for an archive."""
_AGE = re.compile(r"Less than a second|\d+ seconds?")
_UNIX = range(1_700_000_000, 3_000_000_000)


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MOMENTS = frozenset({"Created", "time", "timeNano", "StartedAt", "ExitedAt", "Exited"})
_OF_THE_MACHINE = _keys(
    "Pid ConmonPid HostPort PublicPort host_port Size VirtualSize SharedSize lockNumber LockNumber SandboxKey"
    " execDuration CgroupnsMode CgroupMode Digest ImageDigest OciVersion"
)
"""Keys whose value is this machine's or this run's, wherever they stand; zero and empty are kept."""

_PLACES = _keys(
    "HostnamePath HostsPath ResolvConfPath LogPath StaticDir ConmonPidFile PidFile OCIConfigPath CgroupPath LowerDir"
    " UpperDir WorkDir MergedDir"
)
"""Keys whose value is a path that each engine lays out in its own way: that there is one is compared."""

_UNORDERED = _keys("Env Binds Mounts Options BoundingCaps EffectiveCaps")
"""Keys of lists of words whose order says nothing: some come from a map of Go's, which has none."""

_MEASURED: Mapping[str, frozenset[str]] = {
    "info": _keys(
        # Docker's
        "Name ID NCPU MemTotal KernelVersion OperatingSystem OSVersion Architecture Containers ContainersRunning"
        " ContainersStopped Images NFd NGoroutines NEventsListener CgroupVersion Warnings SecurityOptions Runtimes"
        " DefaultRuntime DriverStatus MemoryLimit SwapLimit CpuCfsPeriod CpuCfsQuota CPUShares CPUSet PidsLimit"
        " OomKillDisable ServerVersion IPv4Forwarding BridgeNfIptables BridgeNfIp6tables"
        # Podman's
        " hostname kernel cpus memFree memTotal swapFree swapTotal uptime userPercent systemPercent idlePercent"
        " cgroupVersion cgroupControllers distribution version package path codename number running stopped"
        " graphRootAllocated graphRootUsed graphStatus buildahVersion emulatedArchitectures Version APIVersion"
        " GitCommit GoVersion Built BuiltTime executable rootlessNetworkCmd name apparmorEnabled seccompEnabled"
        " variant arch OsArch configFile"
    ),
    "version": _keys("Version KernelVersion GitCommit GoVersion BuildTime Arch Package APIVersion ApiVersion Python"),
    "host-running": _keys("BoundingCaps EffectiveCaps"),  # privileged: all that this machine has
    "image": frozenset({"Architecture", "Digest"}),
    "image-list": frozenset({"Arch"}),
}


def normalised(answers: Answers) -> dict[str, Any]:
    """All documents, by name."""
    text = _words(answers)
    return {
        name: _value(document, "", text, _MEASURED.get(name, frozenset()))
        for name, document in answers.documents.items()
    }


def _value(value: Any, key: str, text: Callable[[str], str], measured: frozenset[str]) -> Any:
    if key in measured or key in _OF_THE_MACHINE:
        return _placeholder(value, key)
    if isinstance(value, dict):
        shown = {text(name): _value(each, name, text, measured) for name, each in value.items()}
        return dict(sorted(shown.items()))  # ids among the names are in any order
    if isinstance(value, list):
        shown_list = [_value(each, "", text, measured) for each in _ordered(value)]
        return sorted(map(_in_order, shown_list)) if key in _UNORDERED and _are_words(shown_list) else shown_list
    if isinstance(value, str) and key == "Status":
        return _AGE.sub("<time>", text(value))
    if isinstance(value, str):
        return _place(text(value), key)
    if isinstance(value, int) and key in _MOMENTS and value // 10**9 in _UNIX:
        return "<Unix nanoseconds>"
    if isinstance(value, int) and key in _MOMENTS and value in _UNIX and value != _seconds_of_the_image():
        return "<Unix seconds>"
    return value


def _place(value: str, key: str) -> str:
    own = value.startswith(("<root>/", "<runroot>/"))
    return "<path>" if (key in _PLACES and value.startswith(("/", "<"))) or (key == "Path" and own) else value


def _are_words(values: list[Any]) -> bool:
    return all(isinstance(each, str) for each in values)


def _in_order(word: str) -> str:
    """A bind's options, behind its last colon, in order."""
    head, colon, options = word.rpartition(":")
    return head + colon + ",".join(sorted(options.split(","))) if colon and "=" not in word else word


def _seconds_of_the_image() -> int:
    return 1714979289  # image_archive.CREATED


def _ordered(values: list[Any]) -> list[Any]:
    """Objects by what they are called, since servers list them in an order of their own."""
    if not all(isinstance(each, dict) for each in values):
        return values
    return sorted(values, key=lambda each: str(label_of(each, "")))


def label_of(value: Mapping[str, Any], otherwise: str) -> str:
    """What an object in a list is called there."""
    for key in ("Destination", "Names", "Name", "name", "PrivatePort", "container_port", "CreatedBy"):
        if value.get(key):
            name = value[key]
            return str(name[0] if isinstance(name, list) else name)
    return otherwise


def _placeholder(value: Any, key: str) -> Any:
    """What is empty stays as it is: that it is empty may be the difference."""
    if isinstance(value, bool):
        return "<true or false>"
    if not value or value == _ZERO_TIME:
        return value
    if isinstance(value, str):
        return f"<{key}>"
    if isinstance(value, int | float):
        return f"<number: {key}>" if value > 0 else value
    if isinstance(value, list):
        return [f"<{key}>"]
    return {f"<{key}>": "…"}


def _words(answers: Answers) -> Callable[[str], str]:
    folders = sorted(answers.folders.items(), key=lambda item: -len(item[0]))

    def text(value: str) -> str:
        for path, name in folders:
            if value == path or value.startswith(path + "/") or f"{path}:" in value:
                value = value.replace(path, f"<{name}>")
        for digits, name in answers.ids.items():
            value = value.replace(digits, f"<id of {name}>").replace(digits[:12], f"<short id of {name}>")
        if _TIME.fullmatch(value):
            if value in (CREATED, _ZERO_TIME):
                return value
            return "<time in UTC>" if value.endswith("Z") else "<time with its zone>"
        value = _MAC.sub("<MAC>", _HEX.sub("<64 hex digits>", value))
        value = _LINK.sub("<link>", _RUNTIME.sub("<runtime>", value))
        value = _TEMPORARY.sub("<temporary file>", value)
        if value and value == answers.host_name:
            return "<name of the host>"
        return _ADDRESS.sub(_address, value)

    return text


def _address(match: re.Match[str]) -> str:
    """A gateway of a default network is the first address of it."""
    try:
        last = ipaddress.IPv4Address(match[0]).packed
    except ValueError:
        return match[0]
    return {(0, 0): "<subnet>", (0, 1): "<gateway>"}.get((last[2], last[3]), "<address>")
