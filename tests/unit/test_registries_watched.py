"""A program that speaks with a registry: what goes wrong while it is watched ends it and is heard of."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import pytest_twisted
from twisted.internet import reactor

from apiserver.drivers.process import Child, Completed, Programs
from apiserver.local.registries.watched import Silent, Watcher
from tests.support.image_stores import in_thread

PROGRAMS = Programs(reactor)


async def asleep(started: Callable[[Child], object]) -> Completed:
    return await PROGRAMS.run(["sleep", "100"], started=started)


@pytest_twisted.ensureDeferred
async def test_a_look_that_fails_ends_the_program_and_is_the_error() -> None:
    def look() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        await Watcher(in_thread, reactor, 60).run(asleep, look)


@pytest_twisted.ensureDeferred
async def test_a_program_that_moves_nothing_is_ended() -> None:
    with pytest.raises(Silent):
        await Watcher(in_thread, reactor, 0.5).run(asleep)


@pytest_twisted.ensureDeferred
async def test_a_program_that_only_wakes_itself_is_ended_too() -> None:
    script = "import os, time; end = os.open('/dev/null', os.O_WRONLY)\nwhile os.write(end, b'x'): time.sleep(0.1)"
    with pytest.raises(Silent):
        await Watcher(in_thread, reactor, 0.5).run(
            lambda started: PROGRAMS.run([sys.executable, "-c", script], started=started)
        )


@pytest_twisted.ensureDeferred
async def test_what_is_seen_is_handed_over_and_the_result_is_the_programs() -> None:
    seen: list[int] = []
    done: Completed = await Watcher(in_thread, reactor, 60).run(
        lambda started: PROGRAMS.run(["sh", "-c", "sleep 0.6; echo x"], started=started), lambda: 7, seen.append
    )
    assert (done.stdout, set(seen)) == (b"x\n", {7})
