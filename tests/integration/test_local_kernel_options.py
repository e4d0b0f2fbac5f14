"""Kernel parameters, devices and ulimits by their effect inside a container, with each runtime."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

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
