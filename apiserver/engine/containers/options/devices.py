"""Device nodes of the host in a container, and which devices it may use beside them."""

from __future__ import annotations

import posixpath
import re

from msgspec import Struct
from msgspec.structs import replace

from apiserver.engine.containers.options.process import too_long
from apiserver.errors import InvalidParameter

_ACCESS = frozenset("rwm")
_RULE = re.compile(r"([acb]) (\d{1,9}|\*):(\d{1,9}|\*) ([rwm]{1,3})", re.ASCII)


class Device(Struct, frozen=True):
    on_host: str
    """A device node, a link to one, or a directory of them."""
    in_container: str = ""
    """Absolute and clean after validation; as on the host where the client does not say."""
    access: str = "rwm"
    """Of read, write and mknod."""


class DeviceRule(Struct, frozen=True):
    kind: str
    """`c` for character devices, `b` for block devices, `a` for both."""
    major: int | None
    """None: any."""
    minor: int | None
    access: str


class Devices(Struct, frozen=True):
    devices: tuple[Device, ...] = ()
    rules: tuple[DeviceRule, ...] = ()
    """What it may use of devices whose nodes come from elsewhere: made in there, or bound into it."""
    checked: bool = False
    """Looked for when the container is made, and not only when it starts."""


def read_rule(text: str) -> DeviceRule:
    """`c 1:3 rwm`, or `b 8:* r`.

    Raises:
        InvalidParameter: in Docker's words.
    """
    found = _RULE.fullmatch(text)
    if found is None:
        raise InvalidParameter(f"invalid device cgroup rule format: '{text[:200]}'")
    kind, major, minor, access = found.groups()
    return DeviceRule(kind, None if major == "*" else int(major), None if minor == "*" else int(minor), access)


def read_device(text: str) -> Device:
    """`HOST[:CONTAINER][:ACCESS]`, as the command lines have it.

    Raises:
        InvalidParameter
    """
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise InvalidParameter(f"invalid device specification: {text[:200]}")
    if len(parts) == 2 and _is_access(parts[1]):
        return Device(parts[0], access=parts[1])
    return Device(parts[0], *parts[1:])


def validated(devices: Devices) -> Devices:
    """With clean paths.

    Raises:
        InvalidParameter: the message names the device.
    """
    clean = tuple(_validated(device) for device in devices.devices)
    for rule in devices.rules:
        if rule.kind not in ("a", "b", "c") or not _is_access(rule.access):
            raise InvalidParameter(f"invalid device cgroup rule: {rule.kind!r} {rule.access!r}")
    return replace(devices, devices=clean)


def _validated(device: Device) -> Device:
    if not _is_access(device.access):
        raise InvalidParameter(f"invalid device mode of {device.on_host[:200]!r}: {device.access[:20]!r}")
    return Device(
        _clean("PathOnHost", device.on_host),
        _clean("PathInContainer", device.in_container or device.on_host),
        device.access,
    )


def _clean(field: str, path: str) -> str:
    if not path.startswith("/") or any(ord(letter) < 32 for letter in path) or too_long(path):
        raise InvalidParameter(f"Devices: invalid {field}: {path[:200]!r} is no absolute path")
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if clean == "/" or clean.split("/")[1] in ("proc", "sys"):
        raise InvalidParameter(f"Devices: invalid {field}: no device can be {clean}")
    return clean


def _is_access(text: str) -> bool:
    return 0 < len(text) == len(set(text)) and set(text) <= _ACCESS
