"""Devices of the host in a container: how they are written, found, and allowed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from apiserver.engine.containers.options import devices as options
from apiserver.engine.containers.options.devices import Device, DeviceRule, Devices
from apiserver.errors import HostError, InvalidParameter
from apiserver.http.flavour import Flavour
from apiserver.local.runs.spec import devices, host_devices

NULL = os.makedev(1, 3)


def test_a_device_is_as_on_the_host_where_nothing_else_is_said() -> None:
    asked = Devices((Device("/dev//null"), Device("/dev/null", "/data/../dev/x/", "r")))
    assert options.validated(asked).devices == (
        Device("/dev/null", "/dev/null", "rwm"),
        Device("/dev/null", "/dev/x", "r"),
    )


@pytest.mark.parametrize(
    "device",
    [
        Device("dev/null"),
        Device("/dev/null", "x"),
        Device("/dev/null", "/"),
        Device("/dev/null", "/x/../.."),
        Device("/dev/null", "/proc/self/x"),
        Device("/dev/null", "/x/../sys/x"),
        Device("/dev/null", "/a\nb"),
        Device("/dev/null\0"),
        Device(""),
        Device("/"),
        Device("/dev/null", "/" + "x" * 5000),
        Device("/dev/null", access=""),
        Device("/dev/null", access="rr"),
        Device("/dev/null", access="x"),
    ],
)
def test_what_no_device_can_be_is_refused(device: Device) -> None:
    with pytest.raises(InvalidParameter, match=r"[Dd]evice"):
        options.validated(Devices((device,)))


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("/dev/a", Device("/dev/a")),
        ("/dev/a:r", Device("/dev/a", access="r")),
        ("/dev/a:/dev/b", Device("/dev/a", "/dev/b")),
        ("/dev/a:/dev/b:rw", Device("/dev/a", "/dev/b", "rw")),
    ],
)
def test_the_short_form_of_a_device(text: str, device: Device) -> None:
    assert options.read_device(text) == device


@pytest.mark.parametrize("text", ["", ":", "/a::r", "/a:/b:r:w"])
def test_a_short_form_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid device specification"):
        options.read_device(text)


def test_rules_name_kind_numbers_and_access() -> None:
    assert options.read_rule("c 1:3 rwm") == DeviceRule("c", 1, 3, "rwm")
    assert options.read_rule("b 8:* r") == DeviceRule("b", 8, None, "r")
    assert options.read_rule("a *:* m") == DeviceRule("a", None, None, "m")


@pytest.mark.parametrize("text", ["", "c 1:3", "d 1:3 r", "c 1 r", "c 1:3 x", "c 1:3 r\n", "c -1:3 r", "c 1:3 rwmr"])
def test_a_rule_that_is_none_is_refused_in_dockers_words(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid device cgroup rule format: '"):
        options.read_rule(text)


# looked up on the host


@pytest.fixture
def node(tmp_path: Path) -> Path:
    path = tmp_path / "board" / "null"
    path.parent.mkdir()
    os.mknod(path, stat.S_IFCHR | 0o640, NULL)
    os.chown(path, 7, 8)
    return path


def test_a_link_is_followed_on_the_host_and_owner_and_mode_are_kept(node: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(node)
    (found,) = host_devices.find([Device(str(tmp_path / "link"), "/dev/x", "rw")])
    assert found == host_devices.DeviceNode("/dev/x", "c", 1, 3, 0o640, 7, 8, "rw")


def test_a_directory_is_all_devices_below_it(node: Path) -> None:
    (node.parent / "deep").mkdir()
    os.mknod(node.parent / "deep" / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 1))
    (node.parent / "plain").touch()
    (node.parent / "out").symlink_to("/dev/zero")
    found = host_devices.find([Device(str(node.parent), "/dev/board")])
    assert [(each.path, each.kind) for each in found] == [("/dev/board/null", "c"), ("/dev/board/deep/disk", "b")]


def test_what_is_asked_for_last_counts(node: Path) -> None:
    twice = [Device(str(node), "/dev/x", "r"), Device("/dev/zero", "/dev/x", "w")]
    assert [(each.minor, each.access) for each in host_devices.find(twice)] == [(5, "w")]


def test_what_is_no_device_is_told_in_dockers_words(tmp_path: Path) -> None:
    def words(path: Path) -> str:
        with pytest.raises(host_devices.DeviceUnusable) as raised:
            host_devices.find([Device(str(path), "/dev/x")])
        return Flavour.DOCKER.words(raised.value)

    what = 'error gathering device information while adding custom device "{}": '
    missing, plain, empty, circle = (tmp_path / name for name in ("missing", "plain", "empty", "circle"))
    plain.touch()
    empty.mkdir()
    circle.symlink_to(circle)
    assert words(missing) == what.format(missing) + "no such file or directory"
    assert words(plain) == what.format(plain) + "not a device node"
    assert words(empty) == what.format(empty) + "not a device node"
    assert words(circle).startswith(what.format(circle) + "too many levels")


def test_a_directory_that_holds_the_world_is_refused(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / str(number)).touch()
    with pytest.raises(HostError, match="more than 4096"):
        host_devices.find([Device(str(tmp_path), "/dev/x")])


# in the configuration

NODE = host_devices.DeviceNode("/dev/x", "b", 8, 1, 0o600, 1, 2, "r")


def test_what_is_asked_for_is_allowed_beside_the_harmless_ones() -> None:
    plain = devices.rules(privileged=False)
    more = devices.rules([NODE], [DeviceRule("c", 10, None, "rw"), DeviceRule("a", None, 5, "m")], privileged=False)
    assert more == [
        *plain,
        {"allow": True, "type": "b", "major": 8, "minor": 1, "access": "r"},
        {"allow": True, "type": "c", "major": 10, "access": "rw"},
        {"allow": True, "type": "a", "minor": 5, "access": "m"},
    ]
    assert devices.rules([NODE], privileged=True) == [{"allow": True, "access": "rwm"}]


def test_a_device_asked_for_takes_the_place_of_the_hosts_in_a_privileged_container() -> None:
    shown = devices.nodes([NODE, host_devices.DeviceNode("/dev/null", "c", 1, 5, 0o600, 0, 0)], privileged=True)
    paths = [node["path"] for node in shown]
    assert len(set(paths)) == len(paths)
    by_path = {node["path"]: node for node in shown}
    assert (by_path["/dev/null"]["minor"], by_path["/dev/x"]["uid"]) == (5, 1)
    assert devices.nodes([NODE], privileged=False) == [NODE.node()]
