"""Which changes may use the room that is kept for a full disk."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.model import Container, ExecSession, Run, State
from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.ports.records import (
    DeleteContainer,
    DeleteVolume,
    PutContainer,
    PutExec,
    PutExitCode,
    PutSetting,
    PutVolume,
)
from apiserver.engine.volumes.model import Volume
from apiserver.local.records.reserve import gives_back
from tests.support.engine import NOON

PLAN: dict[str, Any] = {"directory": "/x"}
RUNNING = Container(
    id="a" * 64,
    name="box",
    created=NOON,
    image_id="1" * 64,
    image_name="busybox",
    runtime="crun",
    options=ContainerOptions(),
    state=State.RUNNING,
    run=Run(1, plan=PLAN),
)
SESSION = ExecSession("e", RUNNING.id, 1, NOON, ("true",))


def container(state: State, run: Run | None, *, by_user: bool = False) -> PutContainer:
    return PutContainer(replace(RUNNING, state=state, run=run, stopped_by_user=by_user))


@pytest.mark.parametrize(
    "change",
    [
        container(State.STOPPING, Run(1, plan=PLAN), by_user=True),
        container(State.RUNNING, Run(1, plan=PLAN), by_user=True),
        container(State.STOPPED, Run(1, plan=PLAN, ended=True)),
        container(State.EXITED, Run(1, ended=True)),
        container(State.CONFIGURED, Run(1)),
        container(State.REMOVING, None),
        DeleteContainer("a"),
        DeleteVolume("a"),
        PutExitCode("a", 0, NOON),
        PutExec(replace(SESSION, finished=NOON)),
    ],
    ids=str,
)
def test_a_step_on_the_way_out_may_use_the_reserve(change: Any) -> None:
    assert gives_back(change)


@pytest.mark.parametrize(
    "change",
    [
        container(State.CONFIGURED, None),
        container(State.CONFIGURED, Run(1, plan=PLAN)),
        container(State.EXITED, Run(2, plan=PLAN), by_user=True),
        container(State.RUNNING, Run(1, plan=PLAN)),
        PutVolume(Volume("a", NOON)),
        PutExec(SESSION),
        PutSetting("a", 1),
    ],
    ids=str,
)
def test_what_makes_something_may_not(change: Any) -> None:
    assert not gives_back(change)
