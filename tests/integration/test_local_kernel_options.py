"""Kernel parameters, devices and ulimits by their effect inside a container, with each runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from apiserver.engine.containers.options import Devices, Limits
from apiserver.engine.containers.options.devices import Device, DeviceRule
from apiserver.engine.containers.options.devices import validated as checked
from apiserver.engine.containers.options.ulimits import Ulimit
from apiserver.errors import HostError
from tests.integration.local_rig import rig
from tests.support.image_archive import Entry
from tests.support.local_runs import Rig, shell, unpack

__all__ = ["rig"]


@pytest.fixture(params=["crun", "runc"])
def runtime(request: pytest.FixtureRequest, rig: Rig) -> str:
    """Each runtime that works here; the one that does not stands in for by the other."""
    name: str = request.param
    return name if name not in rig.host.unusable_runtimes else rig.host.default_runtime or name


async def said(rig: Rig, script: str, runtime: str, **changes: Any) -> str:
    ran = await rig.run(shell(script, runtime=runtime, **changes))
    assert ran.code == 0, (ran.out, ran.err)
    return ran.text.strip()


# kernel parameters


@pytest_twisted.ensureDeferred
async def test_kernel_parameters_are_the_containers_own(rig: Rig, runtime: str) -> None:
    script = "cd /proc/sys; cat net/ipv4/ip_forward kernel/shmmax kernel/msgmax fs/mqueue/msg_max kernel/domainname"
    asked = {
        "net.ipv4.ip_forward": "1",
        "kernel.shmmax": "123456",
        "kernel.msgmax": "4321",
        "fs.mqueue.msg_max": "7",
        "kernel.domainname": "example.org",
    }
    assert (await said(rig, script, runtime, sysctls=asked)).split() == list(asked.values())


@pytest_twisted.ensureDeferred
async def test_any_user_may_ping_and_listen_at_any_port(rig: Rig, runtime: str) -> None:
    script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range"
    assert (await said(rig, script, runtime)).split() == ["0", "0", "2147483647"]


# ulimits


@pytest_twisted.ensureDeferred
async def test_ulimits_are_those_asked_for(rig: Rig, runtime: str) -> None:
    limits = Limits(ulimits=(Ulimit("nofile", 64, 128), Ulimit("core", 0, 0), Ulimit("fsize", 1 << 20, -1)))
    script = "ulimit -Sn; ulimit -Hn; ulimit -Hc; ulimit -Sf; ulimit -Hf"
    assert (await said(rig, script, runtime, limits=limits)).split() == ["64", "128", "0", "2048", "unlimited"]
    assert await rig.runs.warnings(shell("true", limits=limits)) == ()


@pytest_twisted.ensureDeferred
async def test_a_ulimit_above_our_own_is_clamped_not_failed(rig: Rig, runtime: str) -> None:
    options = shell("ulimit -Hn", runtime=runtime, limits=Limits(ulimits=(Ulimit("nofile", 1 << 30, 1 << 30),)))
    ran = await rig.run(options)
    assert int(ran.text) == rig.runs.machine.highest_ulimits["nofile"]
    assert "Ulimit clamped" in (await rig.runs.warnings(options))[0]


# devices

_OPENED = ": > {} && echo opened"
"""For /dev/kmsg (1:11), which a container may not use without asking, whatever else the kernel says of reading it."""


@pytest_twisted.ensureDeferred
async def test_a_device_is_there_with_what_it_may_be_used_for(rig: Rig, runtime: str) -> None:
    devices = Devices((Device("/dev/null", "/dev/mine", "rwm"), Device("/dev/zero", "/data/zeros", "r")))
    script = "stat -c '%F %t,%T %a' /dev/mine /data/zeros; echo x > /dev/mine; head -c 2 /data/zeros | wc -c"
    special = "character special file"
    assert (await said(rig, script, runtime, devices=devices)).splitlines() == [
        f"{special} 1,3 666",
        f"{special} 1,5 666",
        "2",
    ]


@pytest_twisted.ensureDeferred
async def test_a_device_may_be_used_only_as_allowed(rig: Rig, runtime: str) -> None:
    script = _OPENED.format("/dev/kmsg")
    devices = Devices((Device("/dev/kmsg", access="w"),))
    assert await said(rig, script, runtime, devices=checked(devices)) == "opened"
    ran = await rig.run(shell(script, runtime=runtime, devices=checked(Devices((Device("/dev/kmsg", access="r"),)))))
    assert (ran.code, b"not permitted" in ran.err) == (1, True)


@pytest_twisted.ensureDeferred
async def test_a_rule_allows_what_is_made_inside(rig: Rig, runtime: str) -> None:
    script = "mknod /x c 1 11; " + _OPENED.format("/x")
    ran = await rig.run(shell(script, runtime=runtime))
    assert (ran.code, b"not permitted" in ran.err) == (1, True)
    assert await said(rig, script, runtime, devices=Devices(rules=(DeviceRule("c", 1, 11, "w"),))) == "opened"


@pytest_twisted.ensureDeferred
async def test_a_device_never_leaves_the_container_by_a_link_of_its_image(
    rig: Rig, runtime: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    unpack(rig.layers.directories[0], [Entry("out", link=f"../../../../../..{outside}"), Entry("abs", link="/etc")])
    devices = Devices((Device("/dev/null", "/out/mine"), Device("/dev/null", "/abs/mine")))
    made = await rig.run(shell("test -c /etc/mine", runtime=runtime, devices=devices))
    assert made.code == 0
    assert list(outside.iterdir()) == []
    assert not Path("/etc/mine").exists()


@pytest_twisted.ensureDeferred
async def test_a_device_that_is_not_there_fails_the_start_and_makes_nothing(rig: Rig) -> None:
    with pytest.raises(HostError, match="stat /dev/nothing-here: no such file or directory"):
        await rig.create(shell("true", devices=Devices((Device("/dev/nothing-here", "/dev/x"),))))
    key = rig.made[-1].key
    assert not rig.paths.run(key.container_id, key.number).directory.exists()
