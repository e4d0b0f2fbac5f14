"""The ordered end: names, order, limits, and the exit status that comes of it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from apiserver.daemon.shutdown import CANCEL_LIMIT, INHIBIT_LIMIT, STEP_LIMIT, Shutdown


class Ending:
    def __init__(self, window: float = 300) -> None:
        self.clock = Clock()
        self.stopped = 0
        self.ran: list[str] = []
        self.shutdown = Shutdown(self.clock, self._stop, idle_window=window)
        self.shutdown.served = True

    def _stop(self) -> None:
        self.stopped += 1

    def step(self, name: str) -> None:
        self.shutdown.register(name, lambda: self.ran.append(name))


def test_the_last_registered_is_the_first_to_run() -> None:
    ending = Ending()
    for name in ("state", "network", "listeners"):
        ending.step(name)
    assert ending.shutdown.run().called
    assert ending.ran == ["listeners", "network", "state"]


def test_a_name_is_taken_once() -> None:
    ending = Ending()
    ending.step("state")
    with pytest.raises(ValueError, match="state"):
        ending.step("state")


def test_each_step_is_awaited_before_the_next() -> None:
    ending, slow = Ending(), Deferred[None]()
    ending.step("after")
    ending.shutdown.register("slow", lambda: slow)
    done = ending.shutdown.run()
    assert (ending.ran, done.called) == ([], False)
    slow.callback(None)
    assert (ending.ran, done.called) == (["after"], True)


def test_a_step_may_be_a_coroutine() -> None:
    ending = Ending()

    async def step() -> None:
        ending.ran.append("awaited")

    ending.shutdown.register("coroutine", step)
    assert ending.shutdown.run().called
    assert ending.ran == ["awaited"]


def test_a_step_that_fails_is_logged_and_the_next_runs_but_the_status_is_1() -> None:
    ending = Ending()
    ending.step("after")
    ending.shutdown.register("broken", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    with capturedLogs() as logged:
        assert ending.shutdown.run().called
    assert ending.ran == ["after"]
    assert [event["name"] for event in logged if event["log_level"] is LogLevel.critical] == ["broken"]
    assert ending.shutdown.exit_status == 1


def test_a_step_that_never_ends_is_cut_at_its_own_limit() -> None:
    ending = Ending()
    cancelled: list[object] = []
    ending.step("after")
    ending.shutdown.register("usual", lambda: Deferred(cancelled.append))
    ending.shutdown.register("quick", lambda: Deferred(cancelled.append), 2)
    with capturedLogs():
        done = ending.shutdown.run()
        ending.clock.advance(2)
        assert (len(cancelled), ending.ran) == (1, [])
        ending.clock.advance(STEP_LIMIT)
    assert (len(cancelled), ending.ran, done.called) == (2, ["after"], True)
    assert ending.shutdown.exit_status == 1


def test_a_step_that_goes_on_when_it_is_cancelled_is_left_alone() -> None:
    ending, forever = Ending(), Deferred[None]()

    async def step() -> None:
        try:
            await Deferred[None]()
        except CancelledError:
            await forever

    ending.step("after")
    ending.shutdown.register("deaf", step)
    with capturedLogs():
        done = ending.shutdown.run()
        ending.clock.advance(STEP_LIMIT)
        assert ending.ran == []
        ending.clock.advance(CANCEL_LIMIT)
    assert (ending.ran, done.called, ending.shutdown.exit_status) == (["after"], True, 1)
    forever.callback(None)  # disturbs nobody


def test_no_step_begins_while_somebody_inhibits() -> None:
    ending = Ending()
    ending.step("state")
    with ending.shutdown.inhibit():
        with ending.shutdown.inhibit():
            done = ending.shutdown.run()
        assert ending.ran == []
    assert (ending.ran, done.called) == (["state"], True)


def test_async_with_inhibits_too() -> None:
    ending, write = Ending(), Deferred[None]()
    ending.step("state")

    async def writing() -> None:
        async with ending.shutdown.inhibit():
            await write

    Deferred.fromCoroutine(writing())
    ending.shutdown.run()
    assert ending.ran == []
    write.callback(None)
    assert ending.ran == ["state"]


def test_work_that_begins_to_inhibit_during_a_step_holds_up_the_next() -> None:
    ending, slow = Ending(), Deferred[None]()
    ending.step("after")
    ending.shutdown.register("slow", lambda: slow)
    ending.shutdown.run()
    with ending.shutdown.inhibit():
        slow.callback(None)
        assert ending.ran == []
    assert ending.ran == ["after"]


def test_who_inhibits_for_ever_is_not_waited_for_for_ever() -> None:
    ending = Ending()
    ending.step("state")
    with ending.shutdown.inhibit(), capturedLogs() as logged:
        done = ending.shutdown.run()
        ending.clock.advance(INHIBIT_LIMIT)
    assert (ending.ran, done.called) == (["state"], True)
    assert any(event["log_level"] is LogLevel.error for event in logged)


def test_it_happens_once_also_if_several_ask() -> None:
    ending = Ending()
    ending.step("state")
    assert ending.shutdown.begin(halt=True)
    assert not ending.shutdown.begin(halt=False)
    first, second = ending.shutdown.run(), ending.shutdown.run()
    third = ending.shutdown.run()
    assert all(waiter.called for waiter in (first, second, third))
    assert (ending.stopped, ending.ran, ending.shutdown.halt) == (1, ["state"], True)


def test_idleness_ends_nothing_where_the_window_is_0() -> None:
    ending = Ending(window=0)
    assert not ending.shutdown.begin(halt=False)
    assert ending.stopped == 0
    assert ending.shutdown.begin(halt=True)


def test_a_reactor_that_somebody_else_stopped_runs_the_steps_too() -> None:
    ending = Ending()
    ending.step("state")
    ending.shutdown.run()
    assert (ending.shutdown.halt, ending.ran, ending.stopped) == (True, ["state"], 0)


def test_the_status_is_0_only_after_it_served_and_everything_went_well() -> None:
    ending = Ending()
    assert ending.shutdown.exit_status == 1
    ending.shutdown.run()
    assert ending.shutdown.exit_status == 0
    never_ready = Ending()
    never_ready.shutdown.served = False
    never_ready.shutdown.run()
    assert never_ready.shutdown.exit_status == 1


def test_asking_a_second_time_is_heard_by_those_who_wait_and_those_who_will() -> None:
    ending = Ending()
    early, given_up = ending.shutdown.hurried(), ending.shutdown.hurried()
    given_up.addErrback(lambda _: None)
    given_up.cancel()
    told = [early.called]
    ending.shutdown.hurry()
    assert [*told, early.called] == [False, True]
    assert ending.shutdown.hurried().called


def test_close_waits_for_no_client_and_leaves_the_reactor_alone() -> None:
    ending = Ending()
    ending.shutdown.register("clients", ending.shutdown.hurried)
    assert ending.shutdown.close().called
    assert ending.stopped == 0
