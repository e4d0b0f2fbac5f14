"""Device nodes of the host, and which devices may be used beside them."""

from __future__ import annotations

from apiserver.engine.containers.options.devices import Device, DeviceRule, Devices, read_rule
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import HostConfig


def read_devices(host: HostConfig) -> Devices:
    return Devices(
        devices=tuple(
            Device(each.path_on_host, each.path_in_container, each.cgroup_permissions or "rwm")
            for each in host.devices or ()
            if each is not None
        ),
        rules=tuple(read_rule(text) for text in host.device_cgroup_rules or ()),
    )


def show_devices(devices: Devices) -> JsonObject:
    """Their part of Docker's `Resources`."""
    return {
        "Devices": [
            {"PathOnHost": each.on_host, "PathInContainer": each.in_container, "CgroupPermissions": each.access}
            for each in devices.devices
        ],
        "DeviceCgroupRules": [_rule(each) for each in devices.rules] or None,
        "DeviceRequests": None,
    }


def _rule(rule: DeviceRule) -> str:
    major, minor = ("*" if number is None else number for number in (rule.major, rule.minor))
    return f"{rule.kind} {major}:{minor} {rule.access}"
