"""Kernel parameters, devices and ulimits by their effect inside a container, with each runtime."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from apiserver.engine.containers.options import Limits
from apiserver.engine.containers.options.ulimits import Ulimit
from tests.integration.local_rig import rig
from tests.support.local_runs import Rig, shell

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
    assert rig.runs.warnings(shell("true", limits=limits)) == ()


@pytest_twisted.ensureDeferred
async def test_a_ulimit_above_our_own_is_clamped_not_failed(rig: Rig, runtime: str) -> None:
    options = shell("ulimit -Hn", runtime=runtime, limits=Limits(ulimits=(Ulimit("nofile", 1 << 30, 1 << 30),)))
    ran = await rig.run(options)
    assert int(ran.text) == rig.runs.machine.highest_ulimits["nofile"]
    assert "Ulimit clamped" in rig.runs.warnings(options)[0]
