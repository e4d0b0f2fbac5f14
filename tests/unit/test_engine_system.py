"""What is known of the machine."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from twisted.internet.task import Clock

from apiserver.engine.events.log import EventLog
from apiserver.engine.ports.host import HostFacts
from apiserver.engine.system import System
from tests.support.api import HOST_FACTS
from tests.support.engine import Engine, result_of


async def no_images() -> int:
    return 0


def no_uris() -> Sequence[str]:
    return ()


def test_the_machine_is_looked_at_again_only_once_its_programs_were_asked() -> None:
    engine, looked = Engine(), 0
    journal: EventLog = engine.events

    def look() -> HostFacts:
        nonlocal looked
        looked += 1
        return replace(HOST_FACTS, components={"conmon": f"2.1.{looked}"})

    system = System(look, engine.registry, no_images, journal, no_uris, Clock())
    assert [system.host.components["conmon"] for _ in range(3)] == ["2.1.1"] * 3
    result_of(system.learn_versions())
    assert system.host.components["conmon"] == "2.1.2"
    assert result_of(system.info()).host.components["conmon"] == "2.1.3"
